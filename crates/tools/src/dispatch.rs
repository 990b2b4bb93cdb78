//! Which command is which tool: by the word after `ottla`, or by the name the binary was called with.

use std::path::{Path, PathBuf};

use crate::context::Context;

/// One of Kafka's tools.
pub struct Tool {
    /// The name without `kafka-`: the word after `ottla`.
    pub name: &'static str,
    /// What it is for, in a few words.
    pub about: &'static str,
    /// Runs it with the words after its name; returns the exit code.
    pub run: fn(&[String], &mut Context<'_>) -> i32,
}

/// All tools, in the order of the help text.
pub const TOOLS: &[Tool] = &[
    Tool { name: "topics", about: "list, create, describe, grow and delete topics", run: crate::topics::run },
    Tool {
        name: "console-producer",
        about: "write lines of standard input to a topic",
        run: crate::console_producer::run,
    },
    Tool {
        name: "console-consumer",
        about: "print the records of topics",
        run: crate::console_consumer::run,
    },
    Tool {
        name: "consumer-groups",
        about: "list, describe, reset and delete groups of consumers",
        run: crate::consumer_groups::run,
    },
    Tool { name: "groups", about: "list groups of all types", run: crate::groups::run },
    Tool { name: "configs", about: "describe and change settings and quotas", run: crate::configs::run },
    Tool { name: "get-offsets", about: "print offsets of partitions", run: crate::get_offsets::run },
    Tool {
        name: "delete-records",
        about: "delete the oldest records of partitions",
        run: crate::delete_records::run,
    },
    Tool {
        name: "broker-api-versions",
        about: "print which requests the brokers know",
        run: crate::broker_api_versions::run,
    },
    Tool { name: "cluster", about: "tell about a cluster as a whole", run: crate::cluster::run },
    Tool {
        name: "metadata-quorum",
        about: "describe the quorum of the metadata log and change its voters",
        run: crate::metadata_quorum::run,
    },
    Tool { name: "log-dirs", about: "tell about the log directories of brokers", run: crate::log_dirs::run },
    Tool { name: "dump-log", about: "print what is in the files of logs", run: crate::dump_log::run },
    Tool {
        name: "producer-perf-test",
        about: "measure how fast records can be produced",
        run: crate::producer_perf_test::run,
    },
    Tool {
        name: "consumer-perf-test",
        about: "measure how fast records can be consumed",
        run: crate::consumer_perf_test::run,
    },
    Tool {
        name: "e2e-latency",
        about: "measure how long a record takes from producer to consumer",
        run: crate::e2e_latency::run,
    },
    Tool { name: "storage", about: "format log directories and tell about them", run: crate::storage::run },
];

/// Short forms for people, by the word after `ottla` only.
pub const SHORT_FORMS: &[Tool] = &[
    Tool { name: "topic", about: "ls, describe, create and rm topics", run: crate::short::topic::run },
    Tool { name: "group", about: "ls, describe and rm groups", run: crate::short::group::run },
    Tool {
        name: "produce",
        about: "write lines of standard input to a topic",
        run: crate::short::produce::run,
    },
    Tool { name: "consume", about: "print the records of topics", run: crate::short::consume::run },
    Tool {
        name: "log",
        about: "verify the files of a stopped broker, export what is sound",
        run: crate::short::log::run,
    },
];

/// The script of Kafka's that starts a broker.
const SERVER_START: &str = "kafka-server-start";

/// The tool of a name: `topics`, `kafka-topics` or `kafka-topics.sh`, with or without a directory before it.
pub fn find(name: &str) -> Option<&'static Tool> {
    let file = name.rsplit('/').next().unwrap_or(name);
    let word = file.strip_suffix(".sh").unwrap_or(file);
    let word = word.strip_prefix("kafka-").unwrap_or(word);
    TOOLS.iter().find(|tool| tool.name == word)
}

/// The tool that the binary was called as, by `argv[0]`; `None` when it was called by its own name. Only names that
/// begin with `kafka-` count, so that a binary renamed to `topics` stays what it is.
pub fn find_by_program(program: &str) -> Option<&'static Tool> {
    let file = program.rsplit('/').next().unwrap_or(program);
    find(file).filter(|_| file.starts_with("kafka-"))
}

/// Whether the binary was called as the script of Kafka's that starts a broker.
pub fn is_server_start(program: &str) -> bool {
    let file = program.rsplit('/').next().unwrap_or(program);
    file.strip_suffix(".sh").unwrap_or(file) == SERVER_START
}

/// Runs a command by its name on the process' own streams; `None` if there is no such command.
pub fn run(name: &str, args: &[String]) -> Option<i32> {
    let short_form = SHORT_FORMS.iter().find(|tool| tool.name == name);
    let tool = short_form.or_else(|| find(name))?;
    Some(Context::with_process(|cx| (tool.run)(args, cx)))
}

/// `install-links DIRECTORY`: makes `kafka-topics`, `kafka-topics.sh` and so on in a directory, links to `program`.
/// Links that are there already are made anew; anything else of such a name is left alone and reported.
/// `install-links --list` prints the names. Returns the exit code.
pub fn install_links(args: &[String], program: &Path, cx: &mut Context<'_>) -> i32 {
    match args {
        [word] if word == "--list" => {
            for name in link_names() {
                writeln!(cx.out, "{name}").ok();
            }
            0
        }
        [word] if !word.starts_with('-') => match make_links(Path::new(word), program) {
            Ok(count) => {
                writeln!(cx.out, "{count} links in {word}").ok();
                0
            }
            Err((path, error)) => {
                writeln!(cx.err, "error: cannot make {}: {error}", path.display()).ok();
                writeln!(cx.err, "  → give a directory that you may write to and where no such file is").ok();
                1
            }
        },
        _ => {
            writeln!(cx.err, "usage: ottla install-links DIRECTORY | --list").ok();
            2
        }
    }
}

/// The names that tools are called by, with and without the ending that Kafka's scripts have.
fn link_names() -> impl Iterator<Item = String> {
    let tools = TOOLS.iter().map(|tool| format!("kafka-{}", tool.name));
    tools.chain([SERVER_START.to_owned()]).flat_map(|name| [format!("{name}.sh"), name])
}

fn make_links(directory: &Path, program: &Path) -> Result<usize, (PathBuf, std::io::Error)> {
    std::fs::create_dir_all(directory).map_err(|error| (directory.to_path_buf(), error))?;
    let mut count = 0;
    for name in link_names() {
        let link = directory.join(name);
        if link.is_symlink() {
            std::fs::remove_file(&link).map_err(|error| (link.clone(), error))?;
        }
        std::os::unix::fs::symlink(program, &link).map_err(|error| (link.clone(), error))?;
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(args: &[&str]) -> (i32, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let mut cx = Context { out: &mut out, err: &mut err, is_interactive: false, now_ms: || 0 };
        let code = install_links(&args, Path::new("/usr/bin/ottla"), &mut cx);
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (code, text(out), text(err))
    }

    #[test]
    fn a_link_of_each_name_is_found_by_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("bin");
        let (code, listed, _) = links(&["--list"]);
        assert_eq!(code, 0);
        for _ in 0..2 {
            assert_eq!(links(&[place.to_str().unwrap()]).0, 0);
        }
        for name in listed.lines() {
            assert_eq!(std::fs::read_link(place.join(name)).unwrap(), Path::new("/usr/bin/ottla"));
            assert!(find_by_program(name).is_some() || is_server_start(name), "{name}");
        }
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), listed.lines().count());
    }

    #[test]
    fn a_file_that_is_no_link_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kafka-topics");
        std::fs::write(&file, "somebody's script").unwrap();
        let (code, _, said) = links(&[directory.path().to_str().unwrap()]);
        assert_eq!(code, 1);
        assert!(said.contains("kafka-topics"), "{said}");
        assert_eq!(std::fs::read_to_string(file).unwrap(), "somebody's script");
    }

    #[test]
    fn without_a_directory_the_usage_is_shown() {
        for args in [&[][..], &["--frobnicate"], &["a", "b"]] {
            assert_eq!(links(args).0, 2);
        }
    }
}
