import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Random;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.record.internal.BaseRecords;
import org.apache.kafka.common.record.internal.MemoryRecords;

/**
 * Messages COUNT SEED: writes messages by Kafka's own classes. On standard input one schema name a line; on standard
 * output, for each version of each: `name version default|random hex`, or `name unknown`. A message whose default has no
 * form at a version is left out there.
 */
public final class Messages {
    private static final String[] PACKAGES = {
        "org.apache.kafka.common.message.%sData", "org.apache.kafka.common.message.%s",
        "org.apache.kafka.common.metadata.%s", "org.apache.kafka.coordinator.group.generated.%s",
        "org.apache.kafka.coordinator.transaction.generated.%s", "org.apache.kafka.coordinator.share.generated.%s",
        "org.apache.kafka.raft.generated.%s", "org.apache.kafka.storage.internals.log.generated.%s",
        "org.apache.kafka.server.log.remote.metadata.storage.generated.%s", "kafka.internals.generated.%s",
    };

    private static Random random;
    private static short version;

    public static void main(String[] args) throws Exception {
        int count = Integer.parseInt(args[0]);
        long seed = Long.parseLong(args[1]);
        BufferedReader names = new BufferedReader(new InputStreamReader(System.in));
        for (String name = names.readLine(); name != null; name = names.readLine()) {
            Class<?> type = find(name);
            if (type == null) {
                System.out.println(name + " unknown");
                continue;
            }
            Message empty = (Message) type.getConstructor().newInstance();
            for (short v = empty.lowestSupportedVersion(); v <= empty.highestSupportedVersion(); v++) {
                version = v;
                print(name, "default", empty);
                for (int at = 0; at < count; at++) {
                    random = new Random(seed + name.hashCode() * 31L + v * 1009L + at);
                    Message message = (Message) type.getConstructor().newInstance();
                    fill(message, 0);
                    print(name, "random", message);
                }
            }
        }
    }

    private static Class<?> find(String name) {
        for (String pattern : PACKAGES) {
            try {
                return Class.forName(String.format(pattern, name));
            } catch (ClassNotFoundException elsewhere) {
                // The next package may have it.
            }
        }
        return null;
    }

    private static void print(String name, String kind, Message message) {
        byte[] bytes = bytes(message);
        if (bytes == null) {
            return;
        }
        StringBuilder line = new StringBuilder(name).append(' ').append(version).append(' ').append(kind).append(' ');
        for (byte b : bytes) {
            line.append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
        }
        System.out.println(line);
    }

    /** The message at the current version, or null where a field has a value that the version has no place for. */
    private static byte[] bytes(Message message) {
        try {
            ObjectSerializationCache cache = new ObjectSerializationCache();
            ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
            message.write(new ByteBufferAccessor(buffer), cache, version);
            return buffer.array();
        } catch (RuntimeException noForm) {
            return null;
        }
    }

    /** Gives random values to the fields, each kept only if the message still has a form. */
    private static void fill(Message message, int depth) throws Exception {
        for (Field field : message.getClass().getDeclaredFields()) {
            String name = field.getName();
            boolean own = !Modifier.isStatic(field.getModifiers()) && !name.startsWith("_");
            if (!own || name.equals("next") || name.equals("prev") || depth > 5) {
                continue;
            }
            field.setAccessible(true);
            Object before = field.get(message);
            Object value = value(field.getType(), field.getGenericType(), depth);
            field.set(message, value);
            if (bytes(message) == null) {
                field.set(message, before);
            }
        }
        if (random.nextInt(4) == 0) {
            List<RawTaggedField> tags = message.unknownTaggedFields();
            tags.add(new RawTaggedField(9000 + random.nextInt(100), new byte[] {1, 2, 3}));
            if (bytes(message) == null) {
                tags.clear();
            }
        }
    }

    @SuppressWarnings("unchecked")
    private static Object value(Class<?> type, Type generic, int depth) throws Exception {
        if (type == boolean.class) {
            return random.nextBoolean();
        } else if (type == byte.class || type == Byte.class) {
            return (byte) random.nextInt();
        } else if (type == short.class || type == Short.class) {
            return (short) random.nextInt();
        } else if (type == int.class || type == Integer.class) {
            // Narrow enough for the fields of sixteen bits that Java keeps in an int.
            return random.nextBoolean() ? random.nextInt(65536) : random.nextInt();
        } else if (type == long.class || type == Long.class) {
            return random.nextBoolean() ? random.nextInt(1 << 30) : random.nextLong();
        } else if (type == double.class) {
            return random.nextDouble();
        } else if (type == String.class) {
            return random.nextInt(8) == 0 ? null : text();
        } else if (type == Uuid.class) {
            return new Uuid(random.nextLong(), random.nextLong());
        } else if (type == byte[].class) {
            return some();
        } else if (type == ByteBuffer.class) {
            return ByteBuffer.wrap(some());
        } else if (BaseRecords.class.isAssignableFrom(type)) {
            return MemoryRecords.readableRecords(ByteBuffer.wrap(some()));
        } else if (Collection.class.isAssignableFrom(type)) {
            return random.nextInt(10) == 0 ? null : collection(type, generic, depth);
        }
        Message struct = (Message) type.getConstructor().newInstance();
        fill(struct, depth + 1);
        return struct;
    }

    @SuppressWarnings("unchecked")
    private static Object collection(Class<?> type, Type generic, int depth) throws Exception {
        Class<?> element;
        Collection<Object> values;
        if (type == List.class) {
            element = (Class<?>) ((ParameterizedType) generic).getActualTypeArguments()[0];
            values = new ArrayList<>();
        } else {
            // Collections that find their elements by key are named after them.
            element = Class.forName(type.getName().replaceAll("Collection$", ""));
            values = (Collection<Object>) type.getConstructor().newInstance();
        }
        int count = random.nextInt(depth > 2 ? 2 : 4);
        for (int at = 0; at < count; at++) {
            Object value = value(element, element, depth + 1);
            values.add(value == null ? "" : value);
        }
        return values;
    }

    private static String text() {
        StringBuilder text = new StringBuilder();
        int length = random.nextInt(random.nextInt(6) == 0 ? 300 : 16);
        for (int at = 0; at < length; at++) {
            text.append(random.nextInt(20) == 0 ? 'ß' : (char) ('a' + random.nextInt(26)));
        }
        return text.toString();
    }

    private static byte[] some() {
        byte[] bytes = new byte[random.nextInt(50)];
        random.nextBytes(bytes);
        return bytes;
    }
}
