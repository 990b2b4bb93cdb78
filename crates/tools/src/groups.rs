//! `kafka-groups`: lists groups of all types.

use crate::admin::{Admin, Bootstrap, GroupListing};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::log;
use crate::options::{Arguments, Opt, usage};

const CLASS: &str = "org.apache.kafka.tools.GroupsCommand";

const TABLE: &[Opt] = &[
    Opt::text("bootstrap-server", "server to connect to", "Brokers to start from: host:port,host:port.")
        .required(),
    Opt::text(
        "command-config",
        "command config property file",
        "A file with settings for the client, key=value.",
    ),
    Opt::flag("list", "Print the groups."),
    Opt::text("group-type", "type", "Only groups of this type: classic, consumer, share or streams."),
    Opt::text("protocol", "protocol", "Only groups whose members speak this protocol."),
    Opt::flag("consumer", "Only groups of consumers, classic ones and those without members too."),
    Opt::flag("share", "Only share groups."),
    Opt::flag("streams", "Only streams groups."),
];

const ABOUT: &str = "List groups of all types.";

/// Runs the tool.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    match execute(words, cx) {
        Ok(()) => 0,
        Err(Failure::Exit(code)) => code,
        Err(Failure::Thrown(exception)) => {
            writeln!(cx.err, "{}\n{}", exception.text(), exception.trace()).ok();
            1
        }
    }
}

fn execute(words: &[String], cx: &mut Context<'_>) -> Result<(), Failure> {
    let arguments = match Arguments::parse(TABLE, words) {
        Ok(arguments) => arguments,
        Err(error) => return Err(usage(cx, TABLE, &error.to_string())),
    };
    let filter = check(&arguments, cx)?;
    let servers = arguments.text("bootstrap-server")?.expect("it is required");
    let opened = Admin::open(Bootstrap::Server(servers), arguments.text("command-config")?);
    let listed = match opened {
        // A file that cannot be read is nobody's to word.
        Err(error) if error.class.starts_with("java.") => return Err(error.into()),
        Err(error) => Err(error),
        Ok(admin) => crate::admin::block_on(admin.list_groups(&[], &[])),
    };
    match listed {
        Ok(groups) => Ok(write!(cx.out, "{}", table(&groups, &filter))?),
        Err(error) => {
            writeln!(cx.out, "Error while executing groups command : {}", error.text())?;
            log::error(cx, CLASS, &error.trace());
            Err(Failure::Exit(1))
        }
    }
}

/// Which groups are wanted.
#[derive(Debug, Default)]
struct Filter {
    kind: Option<String>,
    protocol: Option<String>,
    consumer: bool,
}

fn check(arguments: &Arguments, cx: &mut Context<'_>) -> Result<Filter, Failure> {
    arguments.answer_help(cx, ABOUT)?;
    if !arguments.has("list") {
        return Err(arguments.usage(cx, "Command must include exactly one action: --list."));
    }
    const KINDS: [&str; 4] = ["Classic", "Consumer", "Share", "Streams"];
    let kind = match arguments.text("group-type")? {
        None => None,
        Some(text) => match KINDS.iter().find(|kind| kind.eq_ignore_ascii_case(text)) {
            Some(kind) => Some(kind.to_string()),
            None => {
                return Err(Exception::illegal_argument("--group-type must be a valid group type.").into());
            }
        },
    };
    arguments.exclude(cx, "consumer", &["group-type", "protocol", "share", "streams"])?;
    arguments.exclude(cx, "share", &["consumer", "group-type", "protocol", "streams"])?;
    arguments.exclude(cx, "streams", &["consumer", "group-type", "protocol", "share"])?;
    let named = ["share", "streams"].into_iter().find(|kind| arguments.has(kind));
    let named = named.map(|kind| if kind == "share" { "Share".to_string() } else { "Streams".to_string() });
    Ok(Filter {
        kind: kind.or(named),
        protocol: arguments.text("protocol")?.map(str::to_string),
        consumer: arguments.has("consumer"),
    })
}

impl Filter {
    fn allows(&self, group: &GroupListing) -> bool {
        let of_consumers =
            group.protocol == "consumer" || group.protocol.is_empty() || group.kind == "Consumer";
        self.kind.as_ref().is_none_or(|kind| *kind == group.kind)
            && self.protocol.as_ref().is_none_or(|protocol| *protocol == group.protocol)
            && (!self.consumer || of_consumers)
    }
}

fn table(groups: &[GroupListing], filter: &Filter) -> String {
    let rows: Vec<[&str; 3]> = groups
        .iter()
        .filter(|group| filter.allows(group))
        .map(|group| [group.id.as_str(), group.kind.as_str(), group.protocol.as_str()])
        .collect();
    let width = rows.iter().flatten().map(|cell| cell.encode_utf16().count()).max().unwrap_or(0).max(20);
    let mut text = format!("{:<width$} {:<width$} {:<width$}\n", "GROUP", "TYPE", "PROTOCOL");
    for [id, kind, protocol] in rows {
        text.push_str(&format!("{id:<width$} {kind:<width$} {protocol:<width$} \n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str, kind: &str, protocol: &str) -> GroupListing {
        GroupListing {
            id: id.to_string(),
            kind: kind.to_string(),
            protocol: protocol.to_string(),
            state: String::new(),
        }
    }

    #[track_caller]
    fn check(filter: Filter, expected: &str) {
        let groups = [
            group("a", "Classic", "consumer"),
            group("b", "Classic", "connect"),
            group("c", "Consumer", "consumer"),
            group("d", "Share", "share"),
            group("e", "Classic", ""),
        ];
        let ids = groups.iter().filter(|group| filter.allows(group)).map(|group| group.id.as_str());
        assert_eq!(ids.collect::<String>(), expected, "{filter:?}");
    }

    #[test]
    fn filters_choose_by_type_and_protocol() {
        check(Filter::default(), "abcde");
        check(Filter { consumer: true, ..Filter::default() }, "ace");
        check(Filter { kind: Some("Share".to_string()), ..Filter::default() }, "d");
        check(Filter { protocol: Some("connect".to_string()), ..Filter::default() }, "b");
    }

    #[test]
    fn lines_end_with_a_space_and_the_heading_does_not() {
        assert_eq!(
            table(&[group("g", "Classic", "consumer")], &Filter::default()),
            "GROUP                TYPE                 PROTOCOL            \n\
             g                    Classic              consumer             \n"
        );
    }
}
