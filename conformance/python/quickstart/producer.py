import json

from kafka import KafkaProducer

producer = KafkaProducer(
    bootstrap_servers='localhost:9092',
    value_serializer=lambda value: json.dumps(value).encode('utf-8'))

for number in range(10):
    producer.send('python-topic', {'number': number})
    print(f'sent {number}')

producer.flush()
producer.close()
