import json

from kafka import KafkaConsumer

consumer = KafkaConsumer(
    'python-topic',
    bootstrap_servers='localhost:9092',
    auto_offset_reset='earliest',
    enable_auto_commit=True,
    group_id='python-group',
    value_deserializer=lambda value: json.loads(value.decode('utf-8')))

for message in consumer:
    print(f'received {message.value}', flush=True)
