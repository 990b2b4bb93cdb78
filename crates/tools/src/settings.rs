//! Settings that come in several ways, with Kafka's precedence: an option of its own, `key=value` arguments, a file.

use ottla_client::Properties;

use crate::admin::read_properties;
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::options::{Arguments, OptionError};

/// `key=value` arguments; one without a value has an empty one.
pub(crate) fn key_values(arguments: &[&str]) -> Properties {
    arguments.iter().map(|argument| argument.split_once('=').unwrap_or((argument, ""))).collect()
}

/// Settings of a file, if there is one, and over them those of `key=value` arguments.
pub(crate) fn from_file_and_arguments(
    file: Option<&str>,
    arguments: &[&str],
) -> Result<Properties, Exception> {
    let mut properties = Properties::default();
    if let Some(path) = file {
        properties.extend(read_properties(path)?);
    }
    properties.extend(key_values(arguments).iter());
    Ok(properties)
}

/// An option counts when it was given; its default only where the settings say nothing.
pub(crate) fn merge(
    properties: &mut Properties,
    key: &str,
    arguments: &Arguments,
    option: &str,
) -> Result<(), OptionError> {
    if (arguments.has(option) || properties.get(key).is_none())
        && let Some(value) = arguments.text(option)?
    {
        properties.set(key, value);
    }
    Ok(())
}

/// Two names of one option: the old one still works, but not together with the new one.
pub(crate) struct Renamed {
    pub(crate) old: &'static str,
    pub(crate) new: &'static str,
}

impl Renamed {
    /// The name that was given, or the new one.
    pub(crate) fn given(&self, arguments: &Arguments) -> &'static str {
        if arguments.has(self.old) { self.old } else { self.new }
    }

    /// Complains when both were given; `first` is the name that the complaint begins with.
    pub(crate) fn check(
        &self,
        arguments: &Arguments,
        cx: &mut Context<'_>,
        first: &str,
    ) -> Result<(), Failure> {
        if !arguments.has(self.old) || !arguments.has(self.new) {
            return Ok(());
        }
        let second = if first == self.old { self.new } else { self.old };
        let text = format!("Options --{first} and --{second} cannot be specified together.");
        Err(arguments.usage(cx, &text))
    }
}

/// Every server must have a port.
pub(crate) fn check_bootstrap_servers(arguments: &Arguments, cx: &mut Context<'_>) -> Result<(), Failure> {
    let servers = arguments.text("bootstrap-server")?.unwrap_or_default();
    if servers.trim().is_empty() {
        return Err(arguments.usage(cx, "Error while validating the bootstrap address\n"));
    }
    let has_port = |server: &&str| ottla_client::config::Address::parse(server).is_some();
    let servers = crate::java::split(servers, ',');
    if servers.is_empty() || !servers.iter().all(has_port) {
        return Err(arguments.usage(cx, "Please provide valid host:port like host1:9091,host2:9092\n"));
    }
    Ok(())
}
