//! The options of `kafka-e2e-latency`, and the row of words that it took before it had any.

use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::options::{Arguments, Opt};

const TABLE: &[Opt] = &[
    Opt::text(
        "bootstrap-server",
        "bootstrap-server",
        "Required. Brokers to start from: host:port,host:port.",
    ),
    Opt::text("topic", "topic-name", "Required. The topic to write to and to read."),
    Opt::integer("num-records", "count", "Required. How many records to send."),
    Opt::text("producer-acks", "producer-acks", "Required. Who must have a record: 1 or all."),
    Opt::integer("record-size", "bytes", "Required. The size of a record's value."),
    Opt::integer("record-key-size", "bytes", "The size of a record's key.").or_alone().or("0"),
    Opt::integer("record-header-key-size", "bytes", "The size of a header's name.").or_alone().or("0"),
    Opt::integer("record-header-size", "bytes", "The size of a header's value; -1 for null.")
        .or_alone()
        .or("0"),
    Opt::integer("num-headers", "count", "How many headers a record has.").or_alone().or("0"),
    Opt::text("command-config", "config-file", "A file with settings of the clients, key=value.").or_alone(),
];

const ABOUT: &str = "Measures how long a record takes from its producer to its consumer.";

/// What the command line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) servers: String,
    pub(super) topic: String,
    pub(super) num_records: usize,
    pub(super) acks: String,
    pub(super) value_size: usize,
    pub(super) key_size: usize,
    pub(super) num_headers: usize,
    pub(super) header_key_size: usize,
    /// `None` for headers that are null.
    pub(super) header_value_size: Option<usize>,
    pub(super) command_config: Option<String>,
}

/// Reads the command line.
pub(super) fn parse(words: &[String], cx: &mut Context<'_>) -> Result<Settings, Failure> {
    let words = with_names(words, cx)?;
    let arguments = match Arguments::parse(TABLE, &words) {
        Ok(arguments) => arguments,
        Err(error) => return Err(crate::options::usage(cx, TABLE, &error.to_string())),
    };
    arguments.answer_help(cx, ABOUT)?;
    const REQUIRED: [&str; 5] = ["bootstrap-server", "topic", "num-records", "producer-acks", "record-size"];
    arguments.require(cx, &REQUIRED)?;
    if !["1", "all"].contains(&arguments.text("producer-acks")?.unwrap_or_default()) {
        let text = "Invalid value for --producer-acks. Latency testing requires synchronous acknowledgement. \
                    Please use '1' or 'all'.";
        return Err(arguments.usage(cx, text));
    }
    for (name, least, must) in [
        ("num-records", 1, "a positive integer"),
        ("record-size", 0, "a non-negative integer"),
        ("record-key-size", 0, "a non-negative integer"),
        ("record-header-key-size", 0, "a non-negative integer"),
        ("record-header-size", -1, "a non-negative integer or -1 for null header value"),
        ("num-headers", 0, "a non-negative integer"),
    ] {
        if number(&arguments, name)? < least {
            return Err(arguments.usage(cx, &format!("Value for --{name} must be {must}.")));
        }
    }
    let text = |name| Ok::<_, Failure>(arguments.text(name)?.unwrap_or_default().to_owned());
    let size = |name| Ok::<_, Failure>(number(&arguments, name)?.unsigned_abs() as usize);
    Ok(Settings {
        servers: text("bootstrap-server")?,
        topic: text("topic")?,
        num_records: size("num-records")?,
        acks: text("producer-acks")?,
        value_size: size("record-size")?,
        key_size: size("record-key-size")?,
        num_headers: size("num-headers")?,
        header_key_size: size("record-header-key-size")?,
        header_value_size: usize::try_from(number(&arguments, "record-header-size")?).ok(),
        command_config: arguments.text("command-config")?.map(str::to_owned),
    })
}

fn number(arguments: &Arguments, name: &str) -> Result<i32, Failure> {
    Ok(arguments.number(name)?.unwrap_or_default())
}

/// The words with option names before them, if none of the required ones is there.
fn with_names(words: &[String], cx: &mut Context<'_>) -> Result<Vec<String>, Failure> {
    const NAMES: [&str; 6] = [
        "--bootstrap-server",
        "--topic",
        "--num-records",
        "--producer-acks",
        "--record-size",
        "--command-config",
    ];
    if words.is_empty() || words.iter().any(|word| NAMES[..5].contains(&word.as_str())) {
        return Ok(words.to_vec());
    }
    if words.len() != 5 && words.len() != 6 {
        return Err(Exception::terse(format!(
            "Invalid number of arguments. Expected 5 or 6 positional arguments, but got {}. Usage: bootstrap-server \
             topic num-records producer-acks record-size [optional] command-config",
            words.len()
        ))
        .into());
    }
    writeln!(
        cx.out,
        "WARNING: Positional argument usage is deprecated and will be removed in Apache Kafka 5.0. Please use named \
         arguments instead: {}",
        NAMES.join(", ")
    )?;
    Ok(NAMES.iter().zip(words).flat_map(|(name, word)| [(*name).to_owned(), word.clone()]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> (Result<Settings, Failure>, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let mut cx = Context { out: &mut out, err: &mut err, is_interactive: false, now_ms: || 0 };
        let parsed = parse(&words, &mut cx);
        let text = |bytes| String::from_utf8(bytes).expect("texts are UTF-8");
        (parsed, text(out), text(err))
    }

    #[test]
    fn words_in_a_row_mean_the_same_as_options() {
        let (by_name, said, _) =
            run("--bootstrap-server b:1 --topic t --num-records 3 --producer-acks all --record-size 9 \
             --command-config f");
        assert_eq!(said, "");
        let (in_a_row, said, _) = run("b:1 t 3 all 9 f");
        assert!(said.starts_with("WARNING: Positional argument usage is deprecated"), "{said}");
        assert_eq!(in_a_row.unwrap(), by_name.unwrap());
    }

    #[test]
    fn refusals_are_kafkas() {
        let check = |more: &str, expected: &str| {
            let line = format!("--bootstrap-server b:1 --topic t --num-records 3 --record-size 9 {more}");
            let (parsed, _, said) = run(&line);
            assert!(matches!(parsed, Err(Failure::Exit(1))), "{more}");
            assert_eq!(said.lines().next(), Some(expected), "{more}");
        };
        check("", "Missing required argument \"[producer-acks]\"");
        check(
            "--producer-acks 1 --num-headers -1",
            "Value for --num-headers must be a non-negative integer.",
        );
        check(
            "--producer-acks 0",
            "Invalid value for --producer-acks. Latency testing requires synchronous acknowledgement. Please use '1' \
             or 'all'.",
        );
        let Err(Failure::Thrown(thrown)) = run("a b").0 else { panic!("two words are not enough") };
        assert!(thrown.text().starts_with("Invalid number of arguments. Expected 5 or 6"), "{thrown}");
    }
}
