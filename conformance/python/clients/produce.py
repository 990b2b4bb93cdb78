"""produce.py CLIENT BOOTSTRAP TOPIC PARTITIONS PROC RATE COUNT HISTORY

An idempotent producer: sends numbered values round robin until COUNT or until it is asked to end.
"""

import sys

from history import History, Stop, now, paced

client, bootstrap, topic, partitions, proc, rate, count, path = sys.argv[1:]
partitions, proc, rate, count = int(partitions), int(proc), float(rate), int(count)
history, stop = History(path, proc), Stop()


def librdkafka():
    from confluent_kafka import Producer
    producer = Producer({
        'bootstrap.servers': bootstrap, 'enable.idempotence': True, 'message.timeout.ms': 120000,
        'linger.ms': 5, 'retry.backoff.ms': 50, 'reconnect.backoff.max.ms': 300, 'log_level': 2,
    })

    def delivered(key, value, invoked):
        def report(error, message):
            history.sent('info' if error else 'ok', invoked, key, value, None if error else message.offset())
        return report

    for number in paced(rate, count, stop):
        partition, value = number % partitions, f'{proc}-{number}'
        report = delivered(f'{topic}-{partition}', value, now())
        while True:
            try:
                producer.produce(topic, value=value.encode(), partition=partition, on_delivery=report)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(120) > 0:
        sys.exit('records are left that were neither delivered nor refused')


def kafka_python():
    from kafka import KafkaProducer
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, delivery_timeout_ms=120000, linger_ms=5,
        retry_backoff_ms=50, reconnect_backoff_max_ms=300, max_block_ms=120000)
    for number in paced(rate, count, stop):
        partition, value, invoked = number % partitions, f'{proc}-{number}', now()
        key = f'{topic}-{partition}'
        future = producer.send(topic, value=value.encode(), partition=partition)
        future.add_callback(lambda done, k=key, v=value, i=invoked: history.sent('ok', i, k, v, done.offset))
        future.add_errback(lambda error, k=key, v=value, i=invoked: history.sent('info', i, k, v, None))
    producer.flush(timeout=120)
    producer.close(timeout=30)


{'librdkafka': librdkafka, 'kafka-python': kafka_python}[client]()
