use super::*;

const QUORUM: Parser = Parser {
    name: "kafka-metadata-quorum",
    about: "About.",
    flags: &[
        Flag::text(&["--bootstrap-server"], "Where.").in_group(0),
        Flag::text(&["--bootstrap-controller"], "Or where.").in_group(0),
        Flag::text(&["--command-config"], "How."),
    ],
    groups: &[Group::Exclusive { required: true }],
    commands: &[
        Parser {
            name: "describe",
            about: "Describe.",
            flags: &[
                Flag::switch(&["--status"], "Short.").in_group(0),
                Flag::switch(&["--replication"], "Long.").in_group(1),
                Flag::switch(&["--human-readable"], "Readable.").in_group(1),
            ],
            groups: &[Group::Titled("Status"), Group::Titled("Replication")],
            commands: &[],
        },
        Parser { name: "add-controller", about: "Add.", flags: &[], groups: &[], commands: &[] },
        Parser {
            name: "remove-controller",
            about: "Remove a controller from the KRaft controller cluster",
            flags: &[
                Flag::integer(&["--controller-id", "-i"], "The id of the controller to remove.").required(),
                Flag::text(
                    &["--controller-directory-id", "-d"],
                    "The directory ID of the controller to remove.",
                )
                .required(),
                Flag::switch(&["--dry-run"], "True if we should print what would be done, but not do it."),
            ],
            groups: &[],
            commands: &[],
        },
    ],
};

const STORAGE: Parser = Parser {
    name: "kafka-storage",
    about: "About.",
    flags: &[],
    groups: &[],
    commands: &[
        Parser { name: "info", about: "Info.", flags: &[CONFIG], groups: &[], commands: &[] },
        Parser {
            name: "format",
            about: "Format.",
            flags: &[
                CONFIG,
                Flag::text(&["--cluster-id", "-t"], "Which.").required(),
                Flag::text(&["--add-scram", "-S"], "Who."),
                Flag::switch(&["--ignore-formatted", "-g"], "Ignore."),
                Flag::text(&["--release-version", "-r"], "When."),
                Flag::text(&["--feature", "-f"], "What."),
                Flag::switch(&["--standalone", "-s"], "Alone.").in_group(0),
                Flag::switch(&["--no-initial-controllers", "-N"], "None.").in_group(0),
                Flag::text(&["--initial-controllers", "-I"], "These.").in_group(0),
            ],
            groups: &[Group::Exclusive { required: false }],
            commands: &[],
        },
        Parser { name: "version-mapping", about: "Map.", flags: &[], groups: &[], commands: &[] },
        Parser { name: "feature-dependencies", about: "Depend.", flags: &[], groups: &[], commands: &[] },
        Parser { name: "random-uuid", about: "Random.", flags: &[], groups: &[], commands: &[] },
    ],
};
const CONFIG: Flag = Flag::text(&["--config", "-c"], "The file.").required();

static QUORUM_PARSER: Parser = QUORUM;
static STORAGE_PARSER: Parser = STORAGE;

/// What a command line prints: standard output and standard error one after the other, and the exit code.
fn run(parser: &'static Parser, line: &str) -> Result<Matches, (String, i32)> {
    let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut cx = Context { out: &mut out, err: &mut err, is_interactive: false, now_ms: || 0 };
    parser.parse(&words, 0, &mut cx).map_err(|failure| {
        let Failure::Exit(code) = failure else { panic!("{failure:?}") };
        out.extend(err);
        (String::from_utf8(out).expect("texts are UTF-8"), code)
    })
}

#[track_caller]
fn check_refused(parser: &'static Parser, line: &str, expected: &str) {
    let (text, code) = run(parser, line).expect_err(line);
    assert_eq!(text, expected, "{line}");
    assert_eq!(code, 1, "{line}");
}

#[test]
fn values_are_read_in_every_spelling() {
    for line in ["info --config f", "info -c f", "info -cf", "info --conf=f", "inf --c f"] {
        let matches = run(&STORAGE_PARSER, line).expect(line);
        assert_eq!((matches.command, matches.text("--config")), ("info", Some("f")), "{line}");
    }
    let matches = run(&STORAGE_PARSER, "format -gst x -f a=1 -f b=2 -c y").expect("parses");
    assert!(matches.has("--ignore-formatted") && matches.has("--standalone"));
    assert_eq!(matches.texts("--feature"), ["a=1", "b=2"]);
    assert_eq!(matches.text("-t"), Some("x"));
    let matches = run(&QUORUM_PARSER, "--bootstrap-server b remove -i 7 -d x").expect("parses");
    assert_eq!(matches.integer("--controller-id"), Some(7));
    assert_eq!(matches.text("--bootstrap-server"), Some("b"));
}

const STORAGE_USAGE: &str = "\
usage: kafka-storage [-h]
                     {info,format,version-mapping,feature-dependencies,random-uuid}
                     ...
";

const FORMAT_USAGE: &str = "\
usage: kafka-storage format [-h] --config CONFIG --cluster-id CLUSTER_ID
                     [--add-scram ADD_SCRAM] [--ignore-formatted]
                     [--release-version RELEASE_VERSION]
                     [--feature FEATURE] [--standalone |
                     --no-initial-controllers |
                     --initial-controllers INITIAL_CONTROLLERS]
";

const QUORUM_USAGE: &str = "\
usage: kafka-metadata-quorum [-h] [--command-config COMMAND_CONFIG]
                             (--bootstrap-server BOOTSTRAP_SERVER |
                             --bootstrap-controller BOOTSTRAP_CONTROLLER)
                             {describe,add-controller,remove-controller}
                             ...
";

#[test]
fn refusals_are_kafkas() {
    let storage = |line, rest: &str| check_refused(&STORAGE_PARSER, line, &format!("{STORAGE_USAGE}{rest}"));
    storage("", "kafka-storage: error: too few arguments\n");
    storage(
        "bogus",
        "kafka-storage:  error:  invalid  choice:   'bogus'   (choose  from  'info',\n\
         'format', 'version-mapping', 'feature-dependencies', 'random-uuid')\n",
    );
    storage("--bogus", "kafka-storage: error: unrecognized arguments: '--bogus'\n");
    let format = |line, rest: &str| check_refused(&STORAGE_PARSER, line, &format!("{FORMAT_USAGE}{rest}"));
    format("format", "kafka-storage: error: argument --cluster-id/-t is required\n");
    format("format -c", "kafka-storage: error: argument --config/-c: expected one argument\n");
    format(
        "format -t abc -c f -s -N",
        "kafka-storage: error:  argument  --no-initial-controllers/-N:  not  allowed\n\
         with argument --standalone/-s\n",
    );
    check_refused(
        &STORAGE_PARSER,
        "random-uuid x",
        "usage: kafka-storage random-uuid [-h]\nkafka-storage: error: unrecognized arguments: 'x'\n",
    );
    let quorum = |line, rest: &str| check_refused(&QUORUM_PARSER, line, &format!("{QUORUM_USAGE}{rest}"));
    quorum(
        "describe",
        "kafka-metadata-quorum: error: one  of  the  arguments --bootstrap-server --\n\
         bootstrap-controller is required\n",
    );
    quorum(
        "--bootstrap-server a --bootstrap-controller x describe --status",
        "kafka-metadata-quorum: error: argument  --bootstrap-controller: not allowed\n\
         with argument --bootstrap-server\n",
    );
    quorum(
        "--bootstrap-server a bogus",
        "kafka-metadata-quorum:  error:  invalid   choice:   'bogus'   (choose  from\n\
         'describe', 'add-controller', 'remove-controller')\n",
    );
}

#[test]
fn a_mistyped_name_is_answered_with_the_likely_one() {
    let (text, _) = run(&STORAGE_PARSER, "fromat").expect_err("no such command");
    assert!(text.ends_with("\nDid you mean:\n\tformat\n"), "{text}");
    let (text, _) = run(&STORAGE_PARSER, "info --confog x").expect_err("no such flag");
    assert!(text.ends_with("\nDid you mean:\n\t--config\n"), "{text}");
}

#[test]
fn help_is_set_as_kafkas_is() {
    let expected = "\
usage: kafka-metadata-quorum (--bootstrap-server BOOTSTRAP_SERVER |
                             --bootstrap-controller BOOTSTRAP_CONTROLLER)
                             remove-controller [-h]
                             --controller-id CONTROLLER_ID
                             --controller-directory-id CONTROLLER_DIRECTORY_ID
                             [--dry-run]

optional arguments:
  -h, --help             print this text
  --controller-id CONTROLLER_ID, -i CONTROLLER_ID
                         The id of the controller to remove.
  --controller-directory-id CONTROLLER_DIRECTORY_ID, -d CONTROLLER_DIRECTORY_ID
                         The directory ID of the controller to remove.
  --dry-run              True if we should  print  what  would be done, but
                         not do it.
";
    assert_eq!(run(&QUORUM_PARSER, "remove-controller -h").expect_err("help"), (expected.to_string(), 0));
    let expected = "\
usage: kafka-metadata-quorum (--bootstrap-server BOOTSTRAP_SERVER |
                             --bootstrap-controller BOOTSTRAP_CONTROLLER)
                             describe [-h] [--status] [--replication]
                             [--human-readable]

optional arguments:
  -h, --help             print this text

Status:
  --status               Short.

Replication:
  --replication          Long.
  --human-readable       Readable.
";
    assert_eq!(run(&QUORUM_PARSER, "describe --help").expect_err("help"), (expected.to_string(), 0));
    let (text, _) = run(&QUORUM_PARSER, "--help").expect_err("help");
    let commands = "
positional arguments:
  {describe,add-controller,remove-controller}
    describe             Describe.
    add-controller       Add.
    remove-controller    Remove a  controller  from  the  KRaft  controller
                         cluster
";
    assert!(text.contains(commands), "{text}");
}
