"""perf.py CLIENT produce|consume BOOTSTRAP TOPIC COUNT SIZE

Writes or reads so many records and prints the seconds that it took: of a producer until the last one is acknowledged, of
a consumer from its first record to its last.
"""

import sys
import time

client, role, bootstrap, topic, count, size = sys.argv[1:]
count, size = int(count), int(size)
value = bytes(65 + (7 * at) % 26 for at in range(size))


def timed(records):
    """Seconds from the first record to the last."""
    began, read = None, 0
    for number in records:
        began = began or time.perf_counter()
        read += number
        if read >= count:
            return time.perf_counter() - began
    raise SystemExit(f'{read} records instead of {count}')


def produce_librdkafka():
    from confluent_kafka import Producer
    producer = Producer({'bootstrap.servers': bootstrap, 'enable.idempotence': True, 'linger.ms': 5})
    failed = []

    def delivered(error, message):
        if error:
            failed.append(error)

    began = time.perf_counter()
    for _ in range(count):
        while True:
            try:
                producer.produce(topic, value=value, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    left = producer.flush(60)
    if left or failed:
        raise SystemExit(f'{left} records left, {len(failed)} refused')
    return time.perf_counter() - began


def consume_librdkafka():
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({'bootstrap.servers': bootstrap, 'group.id': topic, 'enable.auto.commit': False})
    consumer.assign([TopicPartition(topic, 0, 0)])

    def batches():
        while True:
            messages = consumer.consume(500, 30)
            if not messages:
                return
            for message in messages:
                if message.error():
                    raise SystemExit(message.error())
            yield len(messages)
    seconds = timed(batches())
    consumer.close()
    return seconds


def produce_kafka_python():
    from kafka import KafkaProducer
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks='all', linger_ms=5)
    began = time.perf_counter()
    sent = [producer.send(topic, value) for _ in range(count)]
    producer.flush(60)
    for future in sent:
        future.get(timeout=0)
    return time.perf_counter() - began


def consume_kafka_python():
    from kafka import KafkaConsumer, TopicPartition
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, consumer_timeout_ms=30000)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_beginning()
    seconds = timed(1 for _ in consumer)
    consumer.close()
    return seconds


print(globals()[f'{role}_{client.replace("-", "_")}']())
