//! `kafka-topics`: lists, creates, describes, grows and deletes topics.

mod actions;
mod describe;
mod options;

use crate::admin::Admin;
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::log;
use crate::options::Arguments;

const CLASS: &str = "org.apache.kafka.tools.TopicCommand";

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
    let arguments = Arguments::parse(options::TABLE, words)?;
    options::check(&arguments, cx)?;
    let admin = options::admin(&arguments)?;
    match crate::admin::block_on(actions::run(&arguments, &admin, cx)) {
        Err(Failure::Thrown(exception)) => {
            writeln!(cx.out, "Error while executing topic command : {}", exception.text())?;
            log::error(cx, CLASS, &exception.trace());
            Err(Failure::Exit(1))
        }
        other => other,
    }
}

/// What `--describe` prints of topics by their names, or of all.
pub(crate) async fn description(names: &[String], admin: &Admin) -> Result<String, Exception> {
    let (all, live_brokers) = admin.list_topics().await?;
    let names = match names {
        [] => all.into_iter().map(|topic| topic.name).collect(),
        names => {
            let mut names = names.to_vec();
            names.sort();
            names.dedup();
            names
        }
    };
    let topics = admin.describe_topics(&names, actions::PARTITIONS_PER_RESPONSE).await?;
    actions::described(&topics, &live_brokers, &describe::Report::default(), admin).await
}

/// Settings as `--config` takes them: `key=value` each.
pub(crate) fn configs(texts: &[&str]) -> Result<Vec<(String, String)>, Exception> {
    actions::topic_configs(texts)
}
