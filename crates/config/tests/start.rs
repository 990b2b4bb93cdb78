//! Starts: what is accepted, what is refused with which sentence (`start.tsv`, from Kafka 4.3.1), and what is ours:
//! starts without a file, quorums of one, warnings, fixes.

use ottla_config::{Inputs, Loaded, StartError, load};

const GOOD: &[(&str, &str)] = &[
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("controller.quorum.voters", "1@127.0.0.1:9093"),
    ("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"),
    ("controller.listener.names", "CONTROLLER"),
];

fn load_file(text: &str) -> Result<Loaded, StartError> {
    load(&Inputs { file: Some(("server.properties", text)), ..Inputs::default() })
}

/// A good configuration with changes, one key a line.
fn changed(changes: &[&str]) -> String {
    let mut properties: Vec<(&str, &str)> = GOOD.to_vec();
    for change in changes {
        let key = change.trim_start_matches('-').split('=').next().unwrap_or(change);
        properties.retain(|(name, _)| *name != key);
        if let Some(property) = change.split_once('=') {
            properties.push(property);
        }
    }
    properties.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

/// Kafka's sentence as we say it to a person: without the words of Java in it.
fn plain(message: &str) -> String {
    let message = message.strip_prefix("requirement failed: ").unwrap_or(message);
    let message = message.split(": begin 0, end -1").next().unwrap_or(message);
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_start_is_refused_with_kafkas_sentence() {
    for line in include_str!("start.tsv").lines().filter(|line| !line.starts_with('#')) {
        let (changes, expected) = line.split_once("->\t").expect("a line has an arrow");
        let changes: Vec<&str> = changes.split('\t').filter(|change| !change.is_empty()).collect();
        match (load_file(&changed(&changes)), expected) {
            (Ok(_), "OK") => {}
            (Err(error), "/ by zero") => assert_eq!(error.cause, "log.cleaner.threads must be at least 1"),
            (Err(error), _) if expected.starts_with("For input string") => {
                assert!(error.cause.contains("max.connections.per.ip.overrides"), "{error}");
            }
            (Err(error), _) => {
                assert!(
                    error.cause.starts_with(&plain(expected)),
                    "{changes:?}\n  {expected}\n  {}",
                    error.cause
                );
            }
            (Ok(_), _) => panic!("{changes:?} starts, but Kafka says {expected}"),
        }
    }
}

#[test]
fn causes_and_fixes_are_one_line_each_and_name_the_place() {
    for (text, cause, fix) in [
        (
            "node.id=1\nlog.retention.hours = many\n",
            "Invalid value many for configuration log.retention.hours: Not a number of type INT (server.properties \
             line 2)",
            "give log.retention.hours a value of type INT, such as its default 168.",
        ),
        (
            "num.partitions=0",
            "Invalid value 0 for configuration num.partitions: Value must be at least 1 (server.properties line 1)",
            "give num.partitions a value of type INT in [1,...], such as its default 1.",
        ),
        (
            "log.roll.ms=0",
            "log.roll.ms must be greater than or equal to 1",
            "change log.roll.ms (server.properties line 1), so that this holds.",
        ),
        (
            "\n\nauthorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer (server.properties line \
             3): there is no authorizer, and without it everybody may do everything",
            "leave it out (super.users and allow.everyone.if.no.acl.found too), and let only trusted hosts reach the \
             listeners.",
        ),
        (
            "listeners=SASL_SSL://:9092\nsecurity.inter.broker.protocol=SASL_SSL\nsasl.enabled.mechanisms=PLAIN\n\
             sasl.mechanism.inter.broker.protocol=PLAIN",
            "listeners: SASL_SSL://:9092 asks for SASL_SSL, which this version does not have (server.properties line \
             1)",
            "give the listener PLAINTEXT in listener.security.protocol.map, and keep it on a trusted network or \
             behind a TLS proxy.",
        ),
        (
            "a=b\nc=\\u12\n",
            "server.properties line 2: a \\u escape needs four hexadecimal digits",
            "write \\uXXXX with four digits, or a backslash as \\\\.",
        ),
    ] {
        let error = load_file(text).expect_err(text);
        assert_eq!((error.cause.as_str(), error.fix.as_str()), (cause, fix));
        assert_eq!(error.to_string().lines().count(), 2);
    }
}

#[test]
fn without_a_file_a_node_starts_alone_on_this_machine() {
    let loaded = load(&Inputs::default()).expect("no file is a good start");
    let settings = &loaded.settings;
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(settings.roles.node_id, 1);
    assert!(settings.roles.is_broker && settings.roles.is_controller && settings.quorum.is_alone);
    assert_eq!(settings.listeners.listeners[0].to_string(), "PLAINTEXT://localhost:9092");
    assert_eq!(settings.listeners.advertised[0].to_string(), "PLAINTEXT://localhost:9092");
    assert_eq!(settings.log.log_dirs, ["./ottla-data"]);
    assert_eq!(settings.metadata_log.dir, "./ottla-data");
    assert_eq!(settings.groups.initial_rebalance_delay_ms, 0);
    for topic in [&settings.offsets_topic, &settings.transaction_state_topic, &settings.share_state_topic] {
        assert_eq!(topic.replication_factor, 1);
        assert!(topic.min_insync_replicas.is_none_or(|replicas| replicas == 1));
    }
}

#[test]
fn in_a_container_it_listens_on_all_addresses() {
    let loaded = load(&Inputs { in_container: true, ..Inputs::default() }).expect("a good start");
    assert_eq!(loaded.settings.listeners.listeners[0].to_string(), "PLAINTEXT://0.0.0.0:9092");
    assert_eq!(loaded.settings.listeners.advertised[0].to_string(), "PLAINTEXT://localhost:9092");
}

#[test]
fn in_a_container_data_go_to_the_volume_unless_somebody_says_where() {
    #[track_caller]
    fn check(text: Option<&str>, expect: &str) {
        let file = text.map(|text| ("server.properties", text));
        let loaded = load(&Inputs { file, in_container: true, ..Inputs::default() }).expect("a good start");
        assert_eq!(loaded.settings.log.log_dirs, [expect]);
    }
    check(None, "/var/lib/kafka/data");
    check(Some("listeners=PLAINTEXT://:9092"), "/var/lib/kafka/data");
    check(Some("log.dirs=/elsewhere"), "/elsewhere");
    check(Some("log.dir=/elsewhere"), "/elsewhere");
}

#[test]
fn with_a_file_defaults_are_kafkas_and_the_quorum_is_of_itself() {
    let loaded = load_file("listeners=PLAINTEXT://:9092\nbroker.id=7\n").expect("a good start");
    let settings = &loaded.settings;
    assert_eq!(settings.roles.node_id, 7);
    assert!(settings.quorum.is_alone && settings.roles.is_controller);
    assert_eq!(settings.offsets_topic.replication_factor, 3);
    assert_eq!(settings.groups.initial_rebalance_delay_ms, 3000);
    assert_eq!(settings.log.log_dirs, ["/tmp/kafka-logs"]);
}

#[test]
fn command_line_beats_environment_beats_file_beats_built_in() {
    let environment = vec![
        ("KAFKA_NUM_PARTITIONS".to_owned(), "3".to_owned()),
        ("KAFKA_LOG_DIRS".to_owned(), "/from/environment".to_owned()),
        ("KAFKA_OPTS".to_owned(), "-Dnot=a.key".to_owned()),
    ];
    let overrides = vec!["num.partitions=4".to_owned(), "num.partitions=5".to_owned()];
    let file = Some(("server.properties", "num.partitions=2\nlog.dirs=/from/file\nbroker.rack=a"));
    let loaded = load(&Inputs { file, environment, overrides, in_container: false }).expect("a good start");
    assert_eq!(loaded.settings.roles.num_partitions, 5);
    assert_eq!(loaded.settings.log.log_dirs, ["/from/environment"]);
    assert_eq!(loaded.settings.roles.rack.as_deref(), Some("a"));
}

#[test]
fn where_one_listens_follows_from_where_one_is_advertised_in_a_container() {
    let environment = vec![("KAFKA_ADVERTISED_LISTENERS".to_owned(), "PLAINTEXT://broker:19092".to_owned())];
    let loaded = load(&Inputs { environment, ..Inputs::default() }).expect("a good start");
    assert_eq!(loaded.settings.listeners.listeners[0].to_string(), "PLAINTEXT://0.0.0.0:19092");
    assert_eq!(loaded.settings.listeners.advertised[0].to_string(), "PLAINTEXT://broker:19092");
}

#[test]
fn what_does_nothing_is_said_once() {
    let text = "log.retention.hour=5\nmy.own.key=x\nzookeeper.connect=h:2181\nnum.io.threads=4\nlog.dirs=/a\n\
                log.dirs=/b\nlistener.name.plaintext.max.connections=5\nrsm.config.x=1\nnum.partitions=2\n\
                ssl.keystore.typ=PEM\n";
    let mut warnings = load_file(text).expect("a good start").warnings;
    warnings.sort();
    assert_eq!(
        warnings,
        [
            "log.dirs is given twice in server.properties; line 5 is overridden by line 6",
            "log.retention.hour (server.properties line 1) is not known and is ignored; did you mean \
         log.retention.hours?",
            "my.own.key (server.properties line 2) is not known and is ignored",
            "num.io.threads (server.properties line 4) is accepted without effect",
            "ssl.keystore.typ (server.properties line 10) is not known and is ignored; did you mean \
         ssl.keystore.type?",
            "zookeeper.connect (server.properties line 3) no longer exists in Kafka 4 and is ignored",
        ]
    );
}

#[test]
fn a_node_that_names_only_itself_is_a_quorum_of_itself() {
    let stock = "process.roles=broker,controller\nnode.id=1\ncontroller.listener.names=CONTROLLER\n\
                 listeners=PLAINTEXT://:9092,CONTROLLER://:9093\n\
                 advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://c.example:9093\n";
    for (quorum, is_alone) in [
        ("", true),
        ("controller.quorum.voters=1@h:9093", true),
        ("controller.quorum.voters=1@h:9093,2@i:9093", false),
        ("controller.quorum.bootstrap.servers=localhost:9093", true),
        ("controller.quorum.bootstrap.servers=c.example:9093", true),
        ("controller.quorum.bootstrap.servers=localhost:9094", false),
        ("controller.quorum.bootstrap.servers=localhost:9093,d.example:9093", false),
    ] {
        let loaded = load_file(&format!("{stock}{quorum}")).expect("a good start");
        assert_eq!(loaded.settings.quorum.is_alone, is_alone, "{quorum}");
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    }
}

#[test]
fn variables_of_other_programs_are_left_alone_but_misspellings_are_not() {
    let environment = vec![
        ("KAFKA_HOME".to_owned(), "/opt/kafka".to_owned()),
        ("KAFKA_BROKERS".to_owned(), "h:9092".to_owned()),
        ("KAFKA_NUM_PARTITION".to_owned(), "3".to_owned()),
    ];
    let loaded = load(&Inputs { environment, ..Inputs::default() }).expect("a good start");
    assert_eq!(
        loaded.warnings,
        [
            "num.partition (environment variable KAFKA_NUM_PARTITION) is not known and is ignored; did you mean \
         num.partitions?"
        ]
    );
}

#[test]
fn an_override_needs_a_value() {
    let error =
        load(&Inputs { overrides: vec!["log.dirs".to_owned()], ..Inputs::default() }).expect_err("no value");
    assert_eq!(error.cause, "--override log.dirs has no '='");
}

#[test]
fn no_text_makes_a_start_panic() {
    // Every prefix of a file with one of everything, and every value of a few odd ones for every key.
    let text =
        "# c\na = b\\\n c\nd\\u0041=e\\\\\nlisteners=PLAINTEXT://[::1]:9092,CONTROLLER://:9093\nnode.id=1\n";
    for end in 0..=text.len() {
        let _ = load_file(&text[..end]);
    }
    for key in ottla_config::ConfigTable::Broker.keys() {
        for value in
            ["", "-1", "0", "99999999999999999999", ",", "a:b@c://[:]:1", "NaN", "\\u0000", "é😀", "*", "://"]
        {
            let _ = load_file(&changed(&[&format!("{}={value}", key.name)]));
        }
    }
}
