//! The options of `kafka-topics` and which of them go together.

use crate::admin::{Admin, Bootstrap};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::options::{Arguments, Opt};

pub(super) const TABLE: &[Opt] = &[
    Opt::text(
        "bootstrap-server",
        "server to connect to",
        "Required. Brokers to start from: host:port,host:port.",
    ),
    Opt::text(
        "command-config",
        "command config property file",
        "A file with settings for the client, key=value.",
    ),
    Opt::flag("list", "Print the names of topics."),
    Opt::flag("create", "Create a topic."),
    Opt::flag("delete", "Delete topics."),
    Opt::flag("alter", "Give topics more partitions. Their settings are changed by kafka-configs."),
    Opt::flag("describe", "Print what topics and their partitions are like."),
    Opt::text(
        "topic",
        "topic",
        "The topic, or, except with --create, a regular expression that its name matches.",
    ),
    Opt::text("topic-id", "topic-id", "The id of the topic to describe."),
    Opt::text(
        "config",
        "name=value",
        "A setting of the topic that is created; may be given more than once. Only with --create: settings of topics \
         that exist are changed by kafka-configs, which also lists all there are.",
    ),
    Opt::text("delete-config", "name", "No longer there: use kafka-configs."),
    Opt::integer(
        "partitions",
        "# of partitions",
        "How many partitions the topic gets. If absent when creating, the cluster's default. Growing a topic changes \
         which partition a key belongs to.",
    ),
    Opt::integer(
        "replication-factor",
        "replication factor",
        "How many replicas each partition of the new topic gets. If absent, the cluster's default.",
    ),
    Opt::text(
        "replica-assignment",
        "broker_id_for_part1_replica1 : broker_id_for_part1_replica2 , broker_id_for_part2_replica1 : \
         broker_id_for_part2_replica2 , ...",
        "The brokers of each partition, in place of numbers of partitions and replicas.",
    ),
    Opt::flag(
        "under-replicated-partitions",
        "Describe only partitions some of whose replicas are not in sync.",
    ),
    Opt::flag("unavailable-partitions", "Describe only partitions that have no leader that is alive."),
    Opt::flag(
        "under-min-isr-partitions",
        "Describe only partitions with less replicas in sync than the minimum.",
    ),
    Opt::flag(
        "at-min-isr-partitions",
        "Describe only partitions with just as many replicas in sync as the minimum.",
    ),
    Opt::flag("topics-with-overrides", "Describe only topics that have settings of their own."),
    Opt::flag("if-exists", "Altering, deleting or describing a topic that does not exist is no error."),
    Opt::flag("if-not-exists", "Creating a topic that exists is no error."),
    Opt::flag("exclude-internal", "List or describe without the topics of Kafka itself."),
    Opt::integer(
        "partition-size-limit-per-response",
        "maximum number of partitions per response",
        "How many partitions a node may describe in one answer.",
    ),
];

const ABOUT: &str = "Create, list, describe, grow or delete topics.";
const ACTIONS: [&str; 5] = ["alter", "create", "describe", "list", "delete"];
const SEE_CONFIGS: &str = " (To alter topic configurations, the kafka-configs tool can be used.)";

/// The cluster that is meant.
pub(super) fn admin(arguments: &Arguments) -> Result<Admin, Failure> {
    let servers = arguments.text("bootstrap-server")?.expect("its presence has been checked");
    Ok(Admin::open(Bootstrap::Server(servers), arguments.text("command-config")?)?)
}

/// Complains about what does not go together, in the order and words of the original.
pub(super) fn check(arguments: &Arguments, cx: &mut Context<'_>) -> Result<(), Failure> {
    arguments.answer_help(cx, ABOUT)?;
    if ACTIONS.iter().filter(|action| arguments.has(action)).count() != 1 {
        let message =
            "Command must include exactly one action: --list, --describe, --create, --alter or --delete";
        return Err(arguments.usage(cx, message));
    }
    if arguments.has("delete-config") {
        writeln!(
            cx.err,
            "delete-config option is no longer supported and deprecated since version 4.0. The config will be fully \
             removed in future releases."
        )?;
    }
    check_required(arguments, cx)?;
    check_excluded(arguments, cx)
}

fn check_required(arguments: &Arguments, cx: &mut Context<'_>) -> Result<(), Failure> {
    if !arguments.has("bootstrap-server") {
        return Err(Exception::illegal_argument("--bootstrap-server must be specified").into());
    }
    if arguments.has("describe") && arguments.has("if-exists") {
        match (arguments.has("topic"), arguments.has("topic-id")) {
            (false, false) => {
                return Err(arguments.usage(cx, "--topic or --topic-id is required to describe a topic"));
            }
            (true, true) => writeln!(
                cx.out,
                "Only topic id will be used when both --topic and --topic-id are specified and topicId is not \
                 Uuid.ZERO_UUID"
            )?,
            _ => {}
        }
    }
    if !arguments.has("list") && !arguments.has("describe") {
        arguments.require(cx, &["topic"])?;
    }
    if arguments.has("alter") {
        if arguments.has("config") {
            let message = format!(
                "Option combination \"[[bootstrap-server], [config]]\" can't be used with option \"[alter]\"{SEE_CONFIGS}"
            );
            return Err(arguments.usage(cx, &message));
        }
        arguments.require(cx, &["partitions"])?;
    }
    Ok(())
}

fn check_excluded(arguments: &Arguments, cx: &mut Context<'_>) -> Result<(), Failure> {
    let except = |allowed: &[&str], more: &[&'static str]| -> Vec<&'static str> {
        ACTIONS.into_iter().filter(|action| !allowed.contains(action)).chain(more.iter().copied()).collect()
    };
    arguments.exclude(cx, "config", &except(&["alter", "create"], &[]))?;
    arguments.exclude(cx, "partitions", &except(&["alter", "create"], &[]))?;
    arguments.exclude(cx, "replication-factor", &except(&["create"], &[]))?;
    arguments.exclude(cx, "replica-assignment", &except(&["alter", "create"], &[]))?;
    if arguments.has("create") {
        arguments.exclude(cx, "replica-assignment", &["partitions", "replication-factor"])?;
    }
    const REPORTS: [&str; 4] = [
        "under-replicated-partitions",
        "under-min-isr-partitions",
        "at-min-isr-partitions",
        "unavailable-partitions",
    ];
    for report in REPORTS {
        arguments.exclude(cx, report, &except(&["describe"], &["topics-with-overrides"]))?;
    }
    arguments.exclude(cx, "topics-with-overrides", &except(&["describe"], &REPORTS))?;
    arguments.exclude(cx, "if-exists", &except(&["alter", "delete", "describe"], &[]))?;
    arguments.exclude(cx, "if-not-exists", &except(&["create"], &[]))?;
    arguments.exclude(cx, "exclude-internal", &except(&["list", "describe"], &[]))
}
