import java.io.FileWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;

/** The history that a client leaves behind: one JSON line for each operation that has ended. */
final class History {
    private final FileWriter file;
    private final String base;

    History(String path, long proc, String group) throws IOException {
        file = new FileWriter(path, true);
        base = "{\"proc\":" + proc + (group == null ? "" : ",\"group\":\"" + group + "\"");
    }

    void sent(String outcome, long invoked, String key, String value, Long offset) {
        write("send", outcome, invoked, "\"mops\":[{\"send\":[\"" + key + "\",\"" + value + "\"," + offset + "]}]");
    }

    void polled(long invoked, Map<String, List<String>> records) {
        write("poll", "ok", invoked, "\"mops\":[{\"poll\":" + object(records) + "}]");
    }

    void committed(String outcome, long invoked, Map<String, Long> offsets) {
        write("commit", outcome, invoked, "\"offsets\":" + object(offsets));
    }

    private static String object(Map<String, ?> values) {
        StringBuilder text = new StringBuilder("{");
        values.forEach((key, value) -> text.append(text.length() > 1 ? "," : "").append('"').append(key).append("\":")
            .append(value));
        return text.append('}').toString();
    }

    private synchronized void write(String kind, String outcome, long invoked, String more) {
        try {
            file.write(base + ",\"f\":\"" + kind + "\",\"type\":\"" + outcome + "\",\"inv\":" + invoked + ",\"ret\":"
                + System.nanoTime() + "," + more + "}\n");
            file.flush();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
