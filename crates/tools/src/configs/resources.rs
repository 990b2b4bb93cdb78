//! Settings of topics, brokers, their loggers, groups and client metrics.

use super::changes::Changes;
use super::entities::{Entities, EntityType, broker_id};
use crate::admin::{Admin, ConfigEntry};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::java::{MapSize, hash_map_order, string_hash};
use crate::topic_filter::check_topic_name;

/// Prints the settings of one entity or of all of a type; only what was set at run time, unless `all`.
pub(super) async fn describe(
    entities: &Entities,
    all: bool,
    admin: &Admin,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let kind = entities.types[0];
    let names = match entities.names.first() {
        Some(name) => {
            if !all && !exists(kind, name, admin).await? {
                writeln!(
                    cx.out,
                    "The {} '{name}' doesn't exist and doesn't have dynamic config.",
                    kind.singular()
                )?;
                return Ok(());
            }
            vec![name.clone()]
        }
        None => all_names(kind, admin).await?,
    };
    for name in names {
        writeln!(cx.out, "{}", heading(kind, &name, all))?;
        write!(cx.out, "{}", lines(&configs(kind, &name, all, admin).await?))?;
    }
    Ok(())
}

async fn exists(kind: EntityType, name: &str, admin: &Admin) -> Result<bool, Exception> {
    match kind {
        EntityType::Topic => {
            check_topic_name(name)?;
            let (topics, _) = admin.list_topic(name).await.map_err(Exception::execution)?;
            Ok(topics.iter().any(|topic| topic.name == name))
        }
        EntityType::Broker | EntityType::BrokerLogger if name.is_empty() => Ok(true),
        _ => Ok(all_names(kind, admin).await?.iter().any(|known| known == name)),
    }
}

async fn all_names(kind: EntityType, admin: &Admin) -> Result<Vec<String>, Exception> {
    match kind {
        EntityType::Topic => {
            let (topics, _) = admin.list_topics().await.map_err(Exception::execution)?;
            let names = topics.into_iter().map(|topic| topic.name).collect();
            Ok(hash_map_order(names, MapSize::Default, |name: &String| string_hash(name)))
        }
        EntityType::Broker | EntityType::BrokerLogger => {
            let brokers = admin.brokers().await.map_err(Exception::execution)?;
            let names = brokers.iter().map(|broker| broker.id.to_string());
            Ok(names.chain([String::new()]).collect())
        }
        EntityType::Group => {
            let groups = admin.list_groups(&[], &[]).await.map_err(Exception::execution)?;
            let mut names: Vec<String> = groups.into_iter().map(|group| group.id).collect();
            let configured = match admin.list_config_resources(kind.resource_type()).await {
                Err(error)
                    if error.is("UnsupportedVersionException")
                        || error.is("ClusterAuthorizationException") =>
                {
                    Vec::new()
                }
                answered => answered?,
            };
            names.extend(configured);
            let mut unique = Vec::new();
            for name in names {
                if !unique.contains(&name) {
                    unique.push(name);
                }
            }
            Ok(unique)
        }
        _ => admin.list_config_resources(kind.resource_type()).await.map_err(Exception::execution),
    }
}

async fn configs(
    kind: EntityType,
    name: &str,
    all: bool,
    admin: &Admin,
) -> Result<Vec<ConfigEntry>, Exception> {
    if kind == EntityType::Topic && !name.is_empty() {
        check_topic_name(name)?;
    }
    let node = node_of(kind, name)?;
    let configs =
        admin.describe_configs(kind.resource_type(), name, node).await.map_err(Exception::execution)?;
    let mut configs: Vec<ConfigEntry> = configs
        .into_iter()
        .filter(|entry| all || run_time_source(kind, name).is_none_or(|source| entry.source == source))
        .collect();
    configs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(configs)
}

/// Brokers answer for themselves.
fn node_of(kind: EntityType, name: &str) -> Result<Option<i32>, Exception> {
    match kind {
        EntityType::Broker | EntityType::BrokerLogger if !name.is_empty() => broker_id(kind, name).map(Some),
        _ => Ok(None),
    }
}

const SOURCES: [&str; 9] = [
    "UNKNOWN",
    "DYNAMIC_TOPIC_CONFIG",
    "DYNAMIC_BROKER_CONFIG",
    "DYNAMIC_DEFAULT_BROKER_CONFIG",
    "STATIC_BROKER_CONFIG",
    "DEFAULT_CONFIG",
    "DYNAMIC_BROKER_LOGGER_CONFIG",
    "DYNAMIC_CLIENT_METRICS_CONFIG",
    "DYNAMIC_GROUP_CONFIG",
];

/// Where the settings of an entity are from that were set at run time; loggers are all shown.
fn run_time_source(kind: EntityType, name: &str) -> Option<i8> {
    match kind {
        EntityType::Topic => Some(1),
        EntityType::Broker if name.is_empty() => Some(3),
        EntityType::Broker => Some(2),
        EntityType::ClientMetrics => Some(7),
        EntityType::Group => Some(8),
        _ => None,
    }
}

fn heading(kind: EntityType, name: &str, all: bool) -> String {
    if name.is_empty() {
        return format!("Default configs for {} in the cluster are:", kind.name());
    }
    let which = if all { "All" } else { "Dynamic" };
    format!("{which} configs for {} {name} are:", kind.singular())
}

fn lines(configs: &[ConfigEntry]) -> String {
    let mut text = String::new();
    for entry in configs {
        let synonyms: Vec<String> = entry
            .synonyms
            .iter()
            .map(|(name, value, source)| format!("{}:{name}={}", source_name(*source), or_null(value)))
            .collect();
        text.push_str(&format!(
            "  {}={} sensitive={} synonyms={{{}}}\n",
            entry.name,
            or_null(&entry.value),
            entry.is_sensitive,
            synonyms.join(", ")
        ));
    }
    text
}

fn source_name(source: i8) -> &'static str {
    usize::try_from(source).ok().and_then(|index| SOURCES.get(index)).unwrap_or(&SOURCES[0])
}

fn or_null(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("null")
}

/// Changes the settings of one entity.
pub(super) async fn alter(entities: &Entities, changes: &Changes, admin: &Admin) -> Result<(), Failure> {
    let (kind, name) = (entities.types[0], entities.names[0].as_str());
    let node = node_of(kind, name)?;
    if kind == EntityType::BrokerLogger {
        let known = configs(kind, name, false, admin).await?;
        let is_known = |name: &&str| known.iter().any(|entry| entry.name == **name);
        let changed = changes
            .delete
            .iter()
            .map(String::as_str)
            .chain(changes.add.iter().map(|(name, _)| name.as_str()));
        let unknown: Vec<&str> = changed.filter(|name| !is_known(name)).collect();
        if !unknown.is_empty() {
            let text = format!("Invalid broker logger(s): {}", unknown.join(","));
            return Err(
                Exception::new("org.apache.kafka.common.errors.InvalidConfigurationException", text).into()
            );
        }
    }
    let altered = admin.alter_configs(kind.resource_type(), name, node, &changes.add, &changes.delete).await;
    Ok(altered.map_err(Exception::execution)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, value: Option<&str>, source: i8, synonyms: &[(&str, &str, i8)]) -> ConfigEntry {
        let synonyms =
            synonyms.iter().map(|(name, value, source)| (name.to_string(), Some(value.to_string()), *source));
        ConfigEntry {
            name: name.to_string(),
            value: value.map(str::to_string),
            source,
            is_sensitive: value.is_none(),
            is_read_only: false,
            synonyms: synonyms.collect(),
        }
    }

    #[test]
    fn settings_are_shown_with_their_synonyms() {
        let configs = [
            entry(
                "retention.ms",
                Some("1000"),
                1,
                &[("retention.ms", "1000", 1), ("log.retention.hours", "168", 5)],
            ),
            entry("ssl.key.password", None, 4, &[]),
        ];
        assert_eq!(
            lines(&configs),
            "  retention.ms=1000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=1000, \
             DEFAULT_CONFIG:log.retention.hours=168}\n  \
             ssl.key.password=null sensitive=true synonyms={}\n"
        );
    }

    #[test]
    fn headings_say_whose_settings_follow() {
        assert_eq!(heading(EntityType::Broker, "", true), "Default configs for brokers in the cluster are:");
        assert_eq!(heading(EntityType::Broker, "1", true), "All configs for broker 1 are:");
        assert_eq!(
            heading(EntityType::ClientMetrics, "m", false),
            "Dynamic configs for client-metric m are:"
        );
    }
}
