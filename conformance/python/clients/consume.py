"""consume.py CLIENT BOOTSTRAP TOPIC GROUP PROC HISTORY

A member of a group that commits after each poll, until it is asked to end. GROUP `-PARTITIONS`: no group; all of that
many partitions are read from the beginning.
"""

import sys

from history import History, Stop, now

client, bootstrap, topic, group, proc, path = sys.argv[1:]
assigned = int(group[1:]) if group.startswith('-') else 0
history, stop = History(path, int(proc), None if assigned else group), Stop()


def librdkafka():
    from confluent_kafka import Consumer, KafkaException, TopicPartition
    consumer = Consumer({
        'bootstrap.servers': bootstrap, 'group.id': group, 'enable.auto.commit': False,
        'auto.offset.reset': 'earliest', 'session.timeout.ms': 6000, 'heartbeat.interval.ms': 500,
        'partition.assignment.strategy': 'range', 'reconnect.backoff.max.ms': 300, 'log_level': 2,
        'topic.metadata.refresh.interval.ms': 1000,
    })
    if assigned:
        consumer.assign([TopicPartition(topic, partition, 0) for partition in range(assigned)])
    else:
        consumer.subscribe([topic])
    while not stop.asked:
        invoked, records, offsets = now(), {}, {}
        for message in consumer.consume(500, 0.2):
            if message.error() is None:
                key = f'{message.topic()}-{message.partition()}'
                records.setdefault(key, []).append([message.offset(), message.value().decode()])
                offsets[message.partition()] = message.offset() + 1
        if not records:
            continue
        history.polled(invoked, records)
        if not assigned:
            invoked, outcome = now(), 'ok'
            try:
                ends = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
                done = consumer.commit(offsets=ends, asynchronous=False)
                if any(partition.error for partition in done):
                    outcome = 'info'
            except KafkaException:
                outcome = 'info'
            committed = {f'{topic}-{partition}': offset for partition, offset in offsets.items()}
            history.write('commit', outcome, invoked, offsets=committed)
    consumer.close()


def kafka_python():
    from kafka import KafkaConsumer, TopicPartition
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    from kafka.errors import KafkaError
    from kafka.structs import OffsetAndMetadata
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False, auto_offset_reset='earliest',
        session_timeout_ms=6000, heartbeat_interval_ms=500, max_poll_records=500,
        partition_assignment_strategy=[RangePartitionAssignor], metadata_max_age_ms=1000)
    consumer.subscribe([topic])
    while not stop.asked:
        invoked = now()
        batches = consumer.poll(timeout_ms=200)
        if not batches:
            continue
        records, offsets = {}, {}
        for partition, messages in batches.items():
            records[f'{topic}-{partition.partition}'] = [[m.offset, m.value.decode()] for m in messages]
            offsets[partition.partition] = messages[-1].offset + 1
        history.polled(invoked, records)
        invoked, outcome = now(), 'ok'
        try:
            consumer.commit({TopicPartition(topic, partition): OffsetAndMetadata(offset, '', -1)
                             for partition, offset in offsets.items()})
        except KafkaError:
            outcome = 'info'
        history.write('commit', outcome, invoked, offsets={f'{topic}-{p}': offset for p, offset in offsets.items()})
    consumer.close()


{'librdkafka': librdkafka, 'kafka-python': kafka_python}[client]()
