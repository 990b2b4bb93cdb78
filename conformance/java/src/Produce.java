import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Produce BOOTSTRAP TOPIC PARTITIONS PROC RATE COUNT HISTORY: an idempotent producer that sends numbered values round
 * robin until COUNT or until it is asked to end.
 */
public final class Produce {
    private static volatile boolean stop;

    public static void main(String[] args) throws Exception {
        String topic = args[1];
        int partitions = Integer.parseInt(args[2]);
        long proc = Long.parseLong(args[3]);
        double rate = Double.parseDouble(args[4]);
        int count = Integer.parseInt(args[5]);
        History history = new History(args[6], proc, null);
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        config.put("enable.idempotence", "true");
        config.put("acks", "all");
        config.put("delivery.timeout.ms", "120000");
        config.put("max.block.ms", "120000");
        config.put("linger.ms", "5");
        config.put("retry.backoff.ms", "50");
        config.put("reconnect.backoff.max.ms", "300");
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stop = true;
            try {
                main.join();
            } catch (InterruptedException ended) {
                Thread.currentThread().interrupt();
            }
        }));
        StringSerializer text = new StringSerializer();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(config, text, text)) {
            long begin = System.nanoTime();
            for (int number = 0; number < count && !stop; number++) {
                long ahead = (long) (number / rate * 1e9) - (System.nanoTime() - begin);
                if (ahead > 5_000_000) {
                    Thread.sleep(ahead / 1_000_000);
                }
                int partition = number % partitions;
                String key = topic + "-" + partition;
                String value = proc + "-" + number;
                long invoked = System.nanoTime();
                producer.send(new ProducerRecord<>(topic, partition, null, value), (done, error) ->
                    history.sent(error == null ? "ok" : "info", invoked, key, value, error == null ? done.offset() : null));
            }
        }
    }
}
