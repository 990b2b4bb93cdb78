// consume.js BOOTSTRAP TOPIC GROUP PROC HISTORY: a member of a group that commits after each batch, until it is asked to
// end. kafkajs has a strategy of its own by default; to share a group with other clients it is taught theirs here.
const fs = require('fs')
const { Kafka, logLevel, AssignerProtocol } = require('kafkajs')

const [bootstrap, topic, group, proc, path] = process.argv.slice(2)
const file = fs.openSync(path, 'a')
const now = () => Number(process.hrtime.bigint())
const write = (f, type, inv, more) =>
  fs.writeSync(file, JSON.stringify({ proc: Number(proc), group, f, type, inv, ret: now(), ...more }) + '\n')

const range = ({ cluster }) => ({
  name: 'range',
  version: 0,
  async assign({ members, topics }) {
    const ids = members.map(member => member.memberId).sort()
    const assignment = Object.fromEntries(ids.map(id => [id, {}]))
    for (const topic of topics) {
      const partitions = cluster.findTopicPartitionMetadata(topic).map(p => p.partitionId).sort((a, b) => a - b)
      const each = Math.floor(partitions.length / ids.length)
      const more = partitions.length % ids.length
      let next = 0
      ids.forEach((id, at) => {
        const count = each + (at < more ? 1 : 0)
        assignment[id][topic] = partitions.slice(next, next + count)
        next += count
      })
    }
    return ids.map(memberId => ({
      memberId,
      memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: 0, assignment: assignment[memberId] }),
    }))
  },
  protocol({ topics }) {
    return { name: 'range', metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }) }
  },
})

const kafka = new Kafka({
  clientId: `node-${proc}`,
  brokers: [bootstrap],
  logLevel: logLevel.ERROR,
  retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 1000 },
})
const consumer = kafka.consumer({
  groupId: group,
  sessionTimeout: 6000,
  heartbeatInterval: 500,
  maxWaitTimeInMs: 200,
  partitionAssigners: [range],
})

const eachBatch = async ({ batch, resolveOffset, heartbeat, isRunning, isStale }) => {
  if (!isRunning() || isStale() || batch.messages.length === 0) return
  const inv = now()
  const key = `${topic}-${batch.partition}`
  const records = batch.messages.map(message => [Number(message.offset), message.value.toString()])
  write('poll', 'ok', inv, { mops: [{ poll: { [key]: records } }] })
  const next = records[records.length - 1][0] + 1
  const begun = now()
  try {
    await consumer.commitOffsets([{ topic, partition: batch.partition, offset: String(next) }])
    write('commit', 'ok', begun, { offsets: { [key]: next } })
  } catch (error) {
    write('commit', 'info', begun, { offsets: { [key]: next } })
    throw error
  }
  resolveOffset(String(next - 1))
  await heartbeat()
}

const run = async () => {
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch })
}
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => consumer.disconnect().finally(() => process.exit(0)))
}
run().catch(error => {
  console.error(error)
  process.exit(1)
})
