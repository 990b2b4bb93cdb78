use super::*;

const TABLE: &[Opt] = &[
    Opt::text("topic", "topic", "The topic."),
    Opt::text("config", "name=value", "A setting, which may be given again."),
    Opt::integer("partitions", "# of partitions", "How many."),
    Opt::flag("list", "Names all topics that there are, those of Kafka itself too, one on each line."),
    Opt::optional_text("state", "states", "Only groups in these states."),
    Opt::text("group-type", "types", "Only these.").separated_by(','),
    Opt::text("time", "timestamp", "When.").or("latest"),
];

fn parse(line: &str) -> Result<Arguments, OptionError> {
    let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
    Arguments::parse(TABLE, &words)
}

#[track_caller]
fn check_text(line: &str, name: &str, expected: Option<&str>) {
    let arguments = parse(line).expect(line);
    assert_eq!(arguments.text(name).expect(line), expected, "{line}");
}

#[track_caller]
fn check_refused(line: &str, expected: &str) {
    let parsed = parse(line);
    let error = match &parsed {
        Ok(arguments) => {
            arguments.text("topic").map(drop).and_then(|()| arguments.number::<i32>("partitions").map(drop))
        }
        Err(error) => Err(error.clone()),
    };
    assert_eq!(error.expect_err(line).to_string(), expected, "{line}");
}

#[test]
fn a_value_follows_or_is_joined_by_an_equals_sign() {
    check_text("--topic a", "topic", Some("a"));
    check_text("--topic=a=b", "topic", Some("a=b"));
    check_text("-topic a", "topic", Some("a"));
    check_text("--topic= a", "topic", Some("a"));
    check_text("--topic --list", "topic", Some("--list"));
    check_text("--list", "topic", None);
    check_text("-- --topic a", "topic", None);
    check_text("--list", "time", Some("latest"));
}

#[test]
fn an_optional_value_is_not_taken_from_an_option() {
    check_text("--state --list", "state", None);
    check_text("--state Empty", "state", Some("Empty"));
    check_text("--state=Empty", "state", Some("Empty"));
}

#[test]
fn repeated_and_separated_values_are_all_kept() {
    let arguments = parse("--config a=1 --config b=2 --group-type x,,y --group-type z").expect("parses");
    assert_eq!(arguments.texts("config"), ["a=1", "b=2"]);
    assert_eq!(arguments.texts("group-type"), ["x", "y", "z"]);
}

#[test]
fn complaints_are_kafkas() {
    check_refused("--lis", "lis is not a recognized option");
    check_refused("-lis", "l is not a recognized option");
    check_refused("--topic", "Option topic requires an argument");
    check_refused(
        "--topic a --topic b",
        "Found multiple arguments for option topic, but you asked for only one",
    );
    check_refused("--partitions x", "Cannot parse argument 'x' of option partitions");
}

#[test]
fn what_is_required_must_be_there_unless_help_is_asked_for() {
    const REQUIRED: &[Opt] = &[Opt::text("bootstrap-server", "server", "Where.").required()];
    let parse = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        Arguments::parse(REQUIRED, &words).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(parse(&[]), Err("Missing required option(s) [bootstrap-server]".to_string()));
    assert_eq!(parse(&["--help"]), Ok(()));
    assert_eq!(parse(&["--bootstrap-server", "a"]), Ok(()));
    let text = help::text(REQUIRED);
    assert!(text.starts_with("Option (* = required)                  Description"), "{text}");
    assert!(text.contains("\n* --bootstrap-server <String: server>  Where."), "{text}");
}

#[test]
fn an_option_may_need_another() {
    const TABLE: &[Opt] =
        &[Opt::flag("describe", "Do."), Opt::flag("members", "How.").available_with(&["describe"])];
    let parse = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        Arguments::parse(TABLE, &words).map(drop).map_err(|error| error.to_string())
    };
    let refusal = "Option(s) [members] are unavailable given other options on the command line";
    assert_eq!(parse(&["--members"]), Err(refusal.to_string()));
    assert_eq!(parse(&["--members", "--help"]), Ok(()));
    assert_eq!(parse(&["--members", "--describe"]), Ok(()));
}

#[test]
fn help_is_two_columns_sorted_by_name() {
    let text = help::text(TABLE);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0].trim_end(), "Option                                   Description");
    assert!(lines.iter().all(|line| line.len() <= 80), "{text}");
    assert!(text.contains("\n--partitions <Integer: # of partitions>  How many."), "{text}");
    assert!(
        text.contains("\n                                           of Kafka itself too, one on each"),
        "{text}"
    );
    assert!(text.contains("When. (default: latest)"), "{text}");
}
