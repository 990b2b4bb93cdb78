//! Quotas of users, clients and IP addresses, and SCRAM credentials of users.

use super::changes::Changes;
use super::entities::{Entities, EntityType};
use crate::admin::{Admin, Quota, QuotaFilter};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::java::double_to_string;

const OF_CLIENTS: [&str; 4] =
    ["producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"];
const OF_IPS: [&str; 1] = ["connection_creation_rate"];
const SCRAM: [&str; 2] = ["SCRAM-SHA-256", "SCRAM-SHA-512"];

/// Prints quotas and, for users alone, SCRAM credentials.
pub(super) async fn describe(
    entities: &Entities,
    admin: &Admin,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let quotas = admin.describe_quotas(&filters(entities)?).await.map_err(Exception::execution)?;
    write!(cx.out, "{}", quotas.iter().map(text).collect::<String>())?;
    let is_about_clients = entities.types.iter().any(|kind| *kind != EntityType::User);
    if is_about_clients || entities.names.iter().any(String::is_empty) {
        return Ok(());
    }
    for (user, credentials) in admin.describe_scram(&entities.names).await.map_err(Exception::execution)? {
        match credentials {
            Ok(credentials) => {
                let credentials: Vec<String> = credentials
                    .iter()
                    .map(|(mechanism, iterations)| {
                        format!("{}=iterations={iterations}", mechanism_name(*mechanism))
                    })
                    .collect();
                let credentials = credentials.join(", ");
                writeln!(cx.out, "SCRAM credential configs for user-principal '{user}' are {credentials}")?;
            }
            Err(error) => writeln!(
                cx.out,
                "Error retrieving SCRAM credential configs for user-principal '{user}': ExecutionException: {error}"
            )?,
        }
    }
    Ok(())
}

fn mechanism_name(mechanism: i8) -> &'static str {
    usize::try_from(mechanism - 1).ok().and_then(|index| SCRAM.get(index)).unwrap_or(&"UNKNOWN")
}

/// Which quotas are meant: of the named entity of a type, of its default, or of all.
fn filters(entities: &Entities) -> Result<Vec<QuotaFilter>, Exception> {
    if entities.names.len() > entities.types.len() {
        return Err(Exception::illegal_argument("More entity names specified than entity types"));
    }
    let filter = |(index, kind): (usize, &EntityType)| {
        let kind = kind.quota_type();
        match entities.names.get(index).map(String::as_str) {
            None => QuotaFilter::All(kind),
            Some("") => QuotaFilter::Default(kind),
            Some(name) => QuotaFilter::Named(kind, name.to_string()),
        }
    };
    Ok(entities.types.iter().enumerate().map(filter).collect())
}

fn text(quota: &Quota) -> String {
    let entity = |(kind, title): (&str, &str)| {
        let (_, name) = quota.entity.iter().find(|(known, _)| known == kind)?;
        Some(name.as_ref().map_or(format!("the default {title}"), |name| format!("{title} '{name}'")))
    };
    let kinds = [("user", "user-principal"), ("client-id", "client-id"), ("ip", "ip")];
    let entities: Vec<String> = kinds.into_iter().filter_map(entity).collect();
    let values: Vec<String> =
        quota.values.iter().map(|(name, value)| format!("{name}={}", double_to_string(*value))).collect();
    format!("Quota configs for {} are {}\n", entities.join(", "), values.join(", "))
}

/// Changes quotas, or deletes SCRAM credentials.
pub(super) async fn alter(entities: &Entities, changes: &Changes, admin: &Admin) -> Result<(), Failure> {
    if entities.types[0] == EntityType::Ip {
        let unknown: Vec<&str> = changed(changes).filter(|name| !OF_IPS.contains(name)).collect();
        if !unknown.is_empty() {
            return Err(Exception::illegal_argument(format!(
                "Only connection quota configs can be added for 'ips' using --bootstrap-server. Unexpected config \
                 names: {}",
                unknown.join(",")
            ))
            .into());
        }
        return alter_quotas(entities, changes, admin).await;
    }
    check_client_changes(entities, changes)?;
    if changed(changes).any(|name| OF_CLIENTS.contains(&name)) {
        return alter_quotas(entities, changes, admin).await;
    }
    if let Some((mechanism, _)) = changes.add.first() {
        return Err(Exception::illegal_argument(format!(
            "This tool cannot make {mechanism} credentials; use kafka-configs.sh of Apache Kafka for it"
        ))
        .into());
    }
    let mechanisms = changes.delete.iter().filter_map(|name| SCRAM.iter().position(|known| known == name));
    let mechanisms: Vec<i8> = mechanisms.map(|index| index as i8 + 1).collect();
    Ok(admin.delete_scram(&entities.names[0], &mechanisms).await.map_err(Exception::execution)?)
}

fn changed(changes: &Changes) -> impl Iterator<Item = &str> {
    changes.add.iter().map(|(name, _)| name.as_str()).chain(changes.delete.iter().map(String::as_str))
}

fn check_client_changes(entities: &Entities, changes: &Changes) -> Result<(), Exception> {
    let is_about_clients = entities.types[0] == EntityType::Client || entities.types.len() == 2;
    let is_scram = |name: &&str| SCRAM.contains(name);
    let is_quota = |name: &&str| OF_CLIENTS.contains(name);
    let allowed = |name: &&str| is_quota(name) || !is_about_clients && is_scram(name);
    let (kind, what) =
        if is_about_clients { ("clients", "quota") } else { ("users", "quota and SCRAM credential") };
    let added: Vec<&str> =
        changes.add.iter().map(|(name, _)| name.as_str()).filter(|name| !allowed(name)).collect();
    let deleted: Vec<&str> =
        changes.delete.iter().map(String::as_str).filter(|name| !allowed(name)).collect();
    // The collections that hold the names show in the text.
    for (names, verb, collection) in [(added, "added", "Set"), (deleted, "deleted", "ArrayBuffer")] {
        if !names.is_empty() {
            return Err(Exception::illegal_argument(format!(
                "Only {what} configs can be {verb} for '{kind}' using --bootstrap-server. Unexpected config names: \
                 {collection}({})",
                names.join(", ")
            )));
        }
    }
    if changed(changes).any(|name| is_scram(&name)) {
        if entities.names.iter().any(String::is_empty) {
            return Err(Exception::illegal_argument(
                "The use of --entity-default or --user-defaults is not allowed with User SCRAM Credentials using \
                 --bootstrap-server.",
            ));
        }
        if changed(changes).any(|name| is_quota(&name)) {
            return Err(Exception::illegal_argument(
                "Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using \
                 --bootstrap-server.",
            ));
        }
    }
    Ok(())
}

async fn alter_quotas(entities: &Entities, changes: &Changes, admin: &Admin) -> Result<(), Failure> {
    let quotas = admin.describe_quotas(&filters(entities)?).await.map_err(Exception::execution)?;
    let present = |name: &&String| {
        quotas.first().is_some_and(|quota| quota.values.iter().any(|(known, _)| known == *name))
    };
    let absent: Vec<&str> = changes.delete.iter().filter(|name| !present(name)).map(String::as_str).collect();
    if !absent.is_empty() {
        let text = format!("Invalid config(s): {}", absent.join(","));
        return Err(
            Exception::new("org.apache.kafka.common.errors.InvalidConfigurationException", text).into()
        );
    }
    let mut ops: Vec<(String, Option<f64>)> = Vec::new();
    for (name, value) in &changes.add {
        let Ok(number) = value.trim().parse() else {
            let text = format!("Cannot parse quota configuration value for {name}: {value}");
            return Err(Exception::illegal_argument(text).into());
        };
        ops.push((name.clone(), Some(number)));
    }
    ops.extend(changes.delete.iter().map(|name| (name.clone(), None)));
    let entity: Vec<(&str, Option<&str>)> = entities
        .types
        .iter()
        .zip(&entities.names)
        .map(|(kind, name)| (kind.quota_type(), Some(name.as_str()).filter(|name| !name.is_empty())))
        .collect();
    Ok(admin.alter_quotas(&entity, &ops).await.map_err(Exception::execution)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_names_its_entities() {
        let quota = Quota {
            entity: vec![("client-id".to_string(), None), ("user".to_string(), Some("alice".to_string()))],
            values: vec![
                ("producer_byte_rate".to_string(), 1024.0),
                ("request_percentage".to_string(), 12.5),
            ],
        };
        assert_eq!(
            text(&quota),
            "Quota configs for user-principal 'alice', the default client-id are producer_byte_rate=1024.0, \
             request_percentage=12.5\n"
        );
    }
}
