const { Kafka } = require('kafkajs')

const kafka = new Kafka({ clientId: 'node-app', brokers: ['localhost:9092'] })
const producer = kafka.producer()

const run = async () => {
  await producer.connect()
  for (let number = 0; number < 5; number++) {
    await producer.send({
      topic: 'node-topic',
      messages: [{ value: `message ${number}` }],
    })
    console.log(`sent ${number}`)
  }
  await producer.disconnect()
}

run().catch(console.error)
