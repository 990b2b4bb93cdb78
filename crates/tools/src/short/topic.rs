//! `ottla topic ls|describe|create|rm`.

use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};

use super::words::{Flag, Usage, Words};
use super::{BOOTSTRAP, CONFIG, SETTING, Verb, run_verb};
use crate::admin::{Admin, block_on};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::topics;

const ALL: Flag = Flag { short: 'a', long: "all", value: "", help: "Kafka's own topics too" };
const PARTITIONS: Flag = Flag {
    short: 'p',
    long: "partitions",
    value: "NUMBER",
    help: "how many partitions; the cluster's default if absent",
};
const REPLICAS: Flag = Flag {
    short: 'r',
    long: "replicas",
    value: "NUMBER",
    help: "how many replicas of each; the cluster's default if absent",
};
const TOPIC_CONFIG: Flag = Flag {
    short: 'c',
    long: "config",
    value: "KEY=VALUE",
    help: "a setting of the topic; may be given more than once",
};

const VERBS: [Verb; 4] = [
    Verb {
        names: &["ls", "list"],
        usage: Usage {
            synopsis: "topic ls [FLAG]...",
            about: "Names the topics.",
            flags: &[&ALL, &BOOTSTRAP, &SETTING, &CONFIG],
            notes: "",
        },
        needs: None,
        act: list,
    },
    Verb {
        names: &["describe", "show"],
        usage: Usage {
            synopsis: "topic describe [TOPIC]... [FLAG]...",
            about: "Tells about topics and their partitions.",
            flags: &[&BOOTSTRAP, &SETTING, &CONFIG],
            notes: "",
        },
        needs: None,
        act: describe,
    },
    Verb {
        names: &["create", "add"],
        usage: Usage {
            synopsis: "topic create TOPIC... [FLAG]...",
            about: "Creates topics.",
            flags: &[&PARTITIONS, &REPLICAS, &TOPIC_CONFIG, &BOOTSTRAP, &SETTING, &CONFIG],
            notes: "",
        },
        needs: Some("topic"),
        act: create,
    },
    Verb {
        names: &["rm", "delete"],
        usage: Usage {
            synopsis: "topic rm TOPIC... [FLAG]...",
            about: "Deletes topics with all their records.",
            flags: &[&BOOTSTRAP, &SETTING, &CONFIG],
            notes: "",
        },
        needs: Some("topic"),
        act: remove,
    },
];

/// Runs the command.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    run_verb(&VERBS, "topic", words, cx)
}

fn list(words: &Words, admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    let (topics, _) = block_on(admin.list_topics())?;
    for topic in topics.iter().filter(|topic| words.has(&ALL) || !topic.is_internal) {
        writeln!(cx.out, "{}", topic.name)?;
    }
    Ok(())
}

fn describe(words: &Words, admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    let text = block_on(topics::description(&words.operands, admin));
    let text = text.map_err(|error| known(error, &words.operands.join(", ")))?;
    write!(cx.out, "{text}")?;
    Ok(())
}

fn create(words: &Words, admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    let refuse = |complaint: String| Failure::from(Exception::illegal_argument(complaint));
    let num_partitions = words.number(&PARTITIONS).map_err(refuse)?.unwrap_or(-1);
    let replication_factor = words.number(&REPLICAS).map_err(refuse)?.unwrap_or(-1);
    let configs = topics::configs(&words.all(&TOPIC_CONFIG).collect::<Vec<_>>())?;
    for name in &words.operands {
        let config = |(name, value): &(String, String)| CreatableTopicConfig {
            name: name.as_str().into(),
            value: Some(value.as_str().into()),
            ..Default::default()
        };
        let topic = CreatableTopic {
            name: name.as_str().into(),
            num_partitions,
            replication_factor,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        block_on(admin.create_topic(topic))?;
        writeln!(cx.out, "Created topic {name}.")?;
    }
    Ok(())
}

fn remove(words: &Words, admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    for name in &words.operands {
        block_on(admin.delete_topics(std::slice::from_ref(name))).map_err(|error| known(error, name))?;
        writeln!(cx.out, "Deleted topic {name}.")?;
    }
    Ok(())
}

/// Kafka's text for a topic that is not there does not name it.
fn known(error: Exception, names: &str) -> Exception {
    if error.is("UnknownTopicOrPartitionException") {
        return Exception::new("NoSuchTopic", format!("there is no topic {names}"));
    }
    error
}
