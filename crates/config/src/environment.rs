//! `KAFKA_…` variables, mapped to keys as Kafka's official image maps them: `KAFKA_LOG_DIRS` is `log.dirs`,
//! `__` an underscore, `___` a hyphen.

use crate::properties;

/// Variables that begin with `KAFKA_` and are not configuration.
const NOT_CONFIGURATION: &[&str] = &[
    "KAFKA_VERSION",
    "KAFKA_HEAP_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_JMX_HOSTNAME",
];

/// A property that came from a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FromVariable {
    pub(crate) variable: String,
    pub(crate) name: String,
    pub(crate) value: String,
}

/// The properties of an environment, by the order of the variables' names. As in the image, a value is read like
/// the rest of a line in `server.properties`, escapes and all; and where nobody says where to listen
/// (`has_listeners` is what others said), advertised listeners do.
///
/// # Errors
/// The variable whose value has a malformed escape, and what is wrong with it.
pub(crate) fn properties_of(
    environment: &[(String, String)],
    has_listeners: bool,
) -> Result<Vec<FromVariable>, (String, &'static str)> {
    let mut found = Vec::new();
    for (variable, value) in environment {
        let Some(key) = key_of(variable) else { continue };
        let lines = properties::parse(&format!("{key}={value}"));
        let lines = lines.map_err(|error| (variable.clone(), error.message))?;
        found.extend(lines.into_iter().map(|property| FromVariable {
            variable: variable.clone(),
            name: property.name,
            value: property.value,
        }));
    }
    found.sort_by(|a, b| a.variable.cmp(&b.variable));
    if !has_listeners {
        listen_where_advertised(&mut found);
    }
    Ok(found)
}

fn key_of(variable: &str) -> Option<String> {
    let rest = variable.strip_prefix("KAFKA_")?;
    if rest.is_empty() || NOT_CONFIGURATION.contains(&variable) {
        return None;
    }
    Some(rest.to_lowercase().replace('_', ".").replace("...", "-").replace("..", "_"))
}

/// The image's rule for those who only say where they can be reached: listen there, on all addresses.
fn listen_where_advertised(found: &mut Vec<FromVariable>) {
    if found.iter().any(|property| property.name == "listeners" && !property.value.is_empty()) {
        return;
    }
    let Some(advertised) = found.iter().find(|property| property.name == "advertised.listeners") else {
        return;
    };
    let on_all_addresses = |entry: &str| {
        let (name, address) = entry.rsplit_once("://")?;
        let (_, port) = address.rsplit_once(':')?;
        Some(format!("{name}://0.0.0.0:{port}"))
    };
    let listeners: Option<Vec<String>> = advertised.value.split(',').map(on_all_addresses).collect();
    // What does not look like a listener is complained about where it stands.
    if let Some(listeners) = listeners {
        let variable = advertised.variable.clone();
        found.retain(|property| property.name != "listeners");
        found.push(FromVariable { variable, name: "listeners".to_owned(), value: listeners.join(",") });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(environment: &[(&str, &str)], expect: &[(&str, &str)]) {
        let environment: Vec<(String, String)> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let found = properties_of(&environment, false).expect("no malformed escape");
        let found: Vec<(&str, &str)> = found.iter().map(|p| (p.name.as_str(), p.value.as_str())).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn underscores_become_dots_underscores_and_hyphens() {
        check(&[("KAFKA_LOG_DIRS", "/data")], &[("log.dirs", "/data")]);
        check(&[("KAFKA_A__B", "1"), ("KAFKA_A___B", "2")], &[("a_b", "1"), ("a-b", "2")]);
        check(&[("KAFKA_BROKER_ID", "7")], &[("broker.id", "7")]);
    }

    #[test]
    fn what_is_for_a_jvm_or_for_others_is_left_alone() {
        check(
            &[("KAFKA_OPTS", "-Dx"), ("KAFKA_HEAP_OPTS", "-Xmx1g"), ("PATH", "/bin"), ("KAFKA_", "x")],
            &[],
        );
    }

    #[test]
    fn a_value_is_read_like_the_rest_of_a_line() {
        check(&[("KAFKA_BROKER_RACK", "  a\\tb ")], &[("broker.rack", "a\tb ")]);
    }

    #[test]
    fn advertised_listeners_alone_listen_on_all_addresses() {
        check(
            &[("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://host:19092,CONTROLLER://other:9093")],
            &[
                ("advertised.listeners", "PLAINTEXT://host:19092,CONTROLLER://other:9093"),
                ("listeners", "PLAINTEXT://0.0.0.0:19092,CONTROLLER://0.0.0.0:9093"),
            ],
        );
        check(
            &[("KAFKA_ADVERTISED_LISTENERS", "A://h:1"), ("KAFKA_LISTENERS", "A://:2")],
            &[("advertised.listeners", "A://h:1"), ("listeners", "A://:2")],
        );
        check(
            &[("KAFKA_ADVERTISED_LISTENERS", "A://h:1"), ("KAFKA_LISTENERS", "")],
            &[("advertised.listeners", "A://h:1"), ("listeners", "A://0.0.0.0:1")],
        );
    }
}
