import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.security.Permission;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs the main methods of Kafka's tools one after the other inside one JVM, so that a test pays for the start of a
 * JVM once and not for each command line.
 *
 * On standard input, for each run: the number of strings, the main class and its arguments as UTF, the length of the
 * tool's standard input and its bytes. On standard output, for each run: exit code, length and bytes of the tool's
 * standard output, length and bytes of its standard error.
 */
public final class Runner {
    /** Ends a tool where it would have ended the process. */
    private static final class Ended extends SecurityException {
        final int code;

        Ended(int code) {
            super("exit " + code, null);
            this.code = code;
        }
    }

    private static final List<Runnable> HOOKS = new ArrayList<>();
    private static Integer exitCode;

    public static void main(String[] args) throws Exception {
        DataInputStream requests = new DataInputStream(System.in);
        DataOutputStream answers = new DataOutputStream(System.out);
        PrintStream ownErr = System.err;
        Exit.setExitProcedure((code, message) -> end(code));
        Exit.setHaltProcedure((code, message) -> end(code));
        Exit.setShutdownHookAdder((name, hook) -> HOOKS.add(hook));
        installExitGuard();
        while (true) {
            int count;
            try {
                count = requests.readInt();
            } catch (EOFException end) {
                Runtime.getRuntime().halt(0);
                return;
            }
            String[] words = new String[count];
            for (int i = 0; i < count; i++) {
                words[i] = requests.readUTF();
            }
            byte[] input = new byte[requests.readInt()];
            requests.readFully(input);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            int code = run(words, new ByteArrayInputStream(input), out, err);
            System.setErr(ownErr);
            answers.writeInt(code);
            answers.writeInt(out.size());
            out.writeTo(answers);
            answers.writeInt(err.size());
            err.writeTo(answers);
            answers.flush();
        }
    }

    private static int run(String[] words, InputStream in, ByteArrayOutputStream out, ByteArrayOutputStream err)
            throws Exception {
        System.setIn(in);
        PrintStream outStream = new PrintStream(out, true, "UTF-8");
        PrintStream errStream = new PrintStream(err, true, "UTF-8");
        System.setOut(outStream);
        System.setErr(errStream);
        HOOKS.clear();
        exitCode = null;
        int code = 0;
        try {
            String[] args = java.util.Arrays.copyOfRange(words, 1, words.length);
            Class.forName(words[0]).getMethod("main", String[].class).invoke(null, (Object) args);
        } catch (InvocationTargetException thrown) {
            if (!(thrown.getCause() instanceof Ended)) {
                thrown.getCause().printStackTrace();
                code = 1;
            }
        }
        // A tool may catch the first exit and call a second one: the process would have ended at the first.
        if (exitCode != null) {
            code = exitCode;
        }
        for (Runnable hook : List.copyOf(HOOKS)) {
            hook.run();
        }
        outStream.flush();
        errStream.flush();
        return code;
    }

    private static void end(int code) {
        if (exitCode == null) {
            exitCode = code;
        }
        throw new Ended(code);
    }

    /** Some argument parsers call System.exit themselves. */
    @SuppressWarnings("removal")
    private static void installExitGuard() {
        System.setSecurityManager(new SecurityManager() {
            @Override
            public void checkExit(int code) {
                end(code);
            }

            @Override
            public void checkPermission(Permission permission) {
            }

            @Override
            public void checkPermission(Permission permission, Object context) {
            }
        });
    }
}
