//! Short forms for people: `ottla produce t`, `ottla consume t`. Data goes to standard output, talk to standard error;
//! exit code 1 when something went wrong, 2 when the command line makes no sense.

pub(crate) mod consume;
mod format;
pub(crate) mod produce;
mod words;

use ottla_client::Properties;

use crate::context::Context;
use crate::failure::Exception;
use crate::settings;
use words::{Flag, Words};

/// Flags that all short forms have.
const BOOTSTRAP: Flag = Flag {
    short: 'b',
    long: "bootstrap",
    value: "SERVERS",
    help: "brokers to start from; OTTLA_BOOTSTRAP, or else localhost:9092",
};
const SETTING: Flag = Flag {
    short: 'X',
    long: "set",
    value: "KEY=VALUE",
    help: "a setting of Kafka's clients, such as isolation.level=read_committed",
};
const CONFIG: Flag =
    Flag { short: 'F', long: "command-config", value: "FILE", help: "a file with such settings" };

/// Settings by the flags above.
fn properties(words: &Words) -> Result<Properties, Exception> {
    crate::log::show_warnings();
    let settings: Vec<&str> = words.all(&SETTING).collect();
    let mut properties = settings::from_file_and_arguments(words.last(&CONFIG), &settings)?;
    let environment = std::env::var("OTTLA_BOOTSTRAP").ok();
    if let Some(servers) = words.last(&BOOTSTRAP).or(environment.as_deref()) {
        properties.set("bootstrap.servers", servers);
    }
    properties.set_default("bootstrap.servers", "localhost:9092");
    properties.set_default("client.id", "ottla");
    // Somebody waits in front of it.
    properties.set_default("default.api.timeout.ms", "10000");
    properties.set_default("max.block.ms", "10000");
    Ok(properties)
}

/// Says what went wrong.
fn failed(cx: &mut Context<'_>, error: &dyn std::fmt::Display) -> i32 {
    cx.out.flush().ok();
    writeln!(cx.err, "error: {error}").ok();
    1
}
