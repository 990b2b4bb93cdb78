// perf.js produce|consume BOOTSTRAP TOPIC COUNT SIZE: writes or reads so many records and prints the seconds that it took:
// of a producer until the last one is acknowledged, of a consumer from its first record to its last.
const { Kafka, logLevel } = require('kafkajs')

const [role, bootstrap, topic, countText, sizeText] = process.argv.slice(2)
const [count, size] = [Number(countText), Number(sizeText)]
const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.ERROR })
const seconds = since => Number(process.hrtime.bigint() - since) / 1e9
const BATCH = 100

async function produce () {
  const producer = kafka.producer({ allowAutoTopicCreation: true })
  await producer.connect()
  const value = Buffer.from(Array.from({ length: size }, (_, at) => 65 + (7 * at) % 26))
  const messages = Array.from({ length: BATCH }, () => ({ value }))
  const began = process.hrtime.bigint()
  for (let sent = 0; sent < count; sent += BATCH) {
    await producer.send({ topic, acks: -1, messages: messages.slice(0, count - sent) })
  }
  const took = seconds(began)
  await producer.disconnect()
  return took
}

async function consume () {
  const consumer = kafka.consumer({ groupId: topic, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  let began
  let read = 0
  const took = await new Promise((resolve, reject) => {
    const eachBatch = async ({ batch }) => {
      began = began || process.hrtime.bigint()
      read += batch.messages.length
      if (read >= count) resolve(seconds(began))
    }
    consumer.run({ eachBatch }).catch(reject)
  })
  await consumer.disconnect()
  return took
}

(role === 'produce' ? produce : consume)().then(
  took => console.log(took),
  error => { console.error(error); process.exit(1) }
)
