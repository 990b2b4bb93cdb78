import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Consume BOOTSTRAP TOPIC GROUP PROC HISTORY: a member of a group that commits after each poll, until asked to end. */
public final class Consume {
    private static volatile boolean stop;

    public static void main(String[] args) throws Exception {
        String topic = args[1];
        History history = new History(args[4], Long.parseLong(args[3]), args[2]);
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        config.put("group.id", args[2]);
        config.put("group.protocol", "classic");
        config.put("enable.auto.commit", "false");
        config.put("auto.offset.reset", "earliest");
        config.put("session.timeout.ms", "6000");
        config.put("heartbeat.interval.ms", "500");
        config.put("max.poll.records", "500");
        config.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor");
        config.put("reconnect.backoff.max.ms", "300");
        config.put("metadata.max.age.ms", "1000");
        StringDeserializer text = new StringDeserializer();
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(config, text, text);
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stop = true;
            consumer.wakeup();
            try {
                main.join();
            } catch (InterruptedException ended) {
                Thread.currentThread().interrupt();
            }
        }));
        consumer.subscribe(List.of(topic));
        try {
            while (!stop) {
                read(consumer, history);
            }
        } catch (WakeupException asked) {
            // Asked to end while it waited.
        } finally {
            consumer.close();
        }
    }

    private static void read(KafkaConsumer<String, String> consumer, History history) {
        long invoked = System.nanoTime();
        ConsumerRecords<String, String> polled = consumer.poll(Duration.ofMillis(200));
        if (polled.isEmpty()) {
            return;
        }
        Map<String, List<String>> records = new HashMap<>();
        Map<String, Long> ends = new HashMap<>();
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (TopicPartition partition : polled.partitions()) {
            List<String> list = new ArrayList<>();
            long end = 0;
            for (ConsumerRecord<String, String> record : polled.records(partition)) {
                list.add("[" + record.offset() + ",\"" + record.value() + "\"]");
                end = record.offset() + 1;
            }
            records.put(partition.toString(), list);
            ends.put(partition.toString(), end);
            offsets.put(partition, new OffsetAndMetadata(end));
        }
        history.polled(invoked, records);
        invoked = System.nanoTime();
        String outcome = "ok";
        try {
            consumer.commitSync(offsets);
        } catch (WakeupException asked) {
            history.committed("info", invoked, ends);
            throw asked;
        } catch (KafkaException error) {
            outcome = "info";
        }
        history.committed(outcome, invoked, ends);
    }
}
