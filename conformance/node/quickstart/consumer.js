const { Kafka } = require('kafkajs')

const kafka = new Kafka({ clientId: 'node-app', brokers: ['localhost:9092'] })
const consumer = kafka.consumer({ groupId: 'node-group' })

const run = async () => {
  await consumer.connect()
  await consumer.subscribe({ topic: 'node-topic', fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ topic, partition, message }) => {
      console.log(`received ${message.value.toString()}`)
    },
  })
}

run().catch(console.error)
