//! Quotas and SCRAM credentials.

use ottla_protocol::messages::{
    AlterClientQuotasRequest, AlterUserScramCredentialsRequest, DescribeClientQuotasRequest,
    DescribeUserScramCredentialsRequest, alter_client_quotas_request, alter_user_scram_credentials_request,
    describe_client_quotas_request, describe_user_scram_credentials_request,
};

use super::{Admin, check};
use crate::failure::Exception;
use crate::java::{MapSize, hash_map_order, string_hash};

/// Which quotas are asked for, by the type of an entity: `user`, `client-id`, `ip`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum QuotaFilter {
    /// Those of one entity.
    Named(&'static str, String),
    /// Those of all entities that have none of their own.
    Default(&'static str),
    /// Those of every entity.
    All(&'static str),
}

/// The quotas of an entity. A name that is absent is the default of its type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quota {
    pub(crate) entity: Vec<(String, Option<String>)>,
    pub(crate) values: Vec<(String, f64)>,
}

/// SCRAM mechanisms of a user, by number, with their iterations.
pub(crate) type ScramCredentials = Vec<(i8, i32)>;

impl Admin {
    /// The quotas that all filters together select, and no others.
    pub(crate) async fn describe_quotas(&self, filters: &[QuotaFilter]) -> Result<Vec<Quota>, Exception> {
        const EXACT: i8 = 0;
        const DEFAULT: i8 = 1;
        const ANY: i8 = 2;
        let component = |filter: &QuotaFilter| {
            let (kind, match_type, name) = match filter {
                QuotaFilter::Named(kind, name) => (*kind, EXACT, Some(name.as_str().into())),
                QuotaFilter::Default(kind) => (*kind, DEFAULT, None),
                QuotaFilter::All(kind) => (*kind, ANY, None),
            };
            describe_client_quotas_request::ComponentData {
                entity_type: kind.into(),
                match_type,
                r#match: name,
                ..Default::default()
            }
        };
        let request = DescribeClientQuotasRequest {
            components: filters.iter().map(component).collect(),
            strict: true,
            ..Default::default()
        };
        let response = self.ask("describeClientQuotas", request).await?;
        check(response.error_code, response.error_message.as_deref())?;
        let quotas = response.entries.unwrap_or_default().into_iter().map(|entry| {
            let values = entry.values.into_iter().map(|value| (value.key.to_string(), value.value)).collect();
            Quota {
                entity: entry
                    .entity
                    .into_iter()
                    .map(|part| (part.entity_type.to_string(), part.entity_name.map(|name| name.to_string())))
                    .collect(),
                values: hash_map_order(values, MapSize::Expected, |(name, _): &(String, f64)| {
                    string_hash(name)
                }),
            }
        });
        Ok(hash_map_order(quotas.collect(), MapSize::Expected, entity_hash))
    }

    /// Sets quotas of an entity, or takes them back.
    pub(crate) async fn alter_quotas(
        &self,
        entity: &[(&str, Option<&str>)],
        ops: &[(String, Option<f64>)],
    ) -> Result<(), Exception> {
        let entity = entity.iter().map(|(kind, name)| alter_client_quotas_request::EntityData {
            entity_type: (*kind).into(),
            entity_name: name.map(Into::into),
            ..Default::default()
        });
        let ops = ops.iter().map(|(name, value)| alter_client_quotas_request::OpData {
            key: name.as_str().into(),
            value: value.unwrap_or(0.0),
            remove: value.is_none(),
            ..Default::default()
        });
        let entry = alter_client_quotas_request::EntryData {
            entity: entity.collect(),
            ops: ops.collect(),
            ..Default::default()
        };
        let request = AlterClientQuotasRequest { entries: vec![entry], ..Default::default() };
        let response = self.ask("alterClientQuotas", request).await?;
        response.entries.iter().try_for_each(|entry| check(entry.error_code, entry.error_message.as_deref()))
    }

    /// The SCRAM credentials of users, or of all users that have some.
    pub(crate) async fn describe_scram(
        &self,
        users: &[String],
    ) -> Result<Vec<(String, Result<ScramCredentials, Exception>)>, Exception> {
        let name = |user: &String| describe_user_scram_credentials_request::UserName {
            name: user.as_str().into(),
            ..Default::default()
        };
        let users = (!users.is_empty()).then(|| users.iter().map(name).collect());
        let request = DescribeUserScramCredentialsRequest { users, ..Default::default() };
        let response = self.ask("describeUserScramCredentials", request).await?;
        check(response.error_code, response.error_message.as_deref())?;
        const RESOURCE_NOT_FOUND: i16 = 91;
        // Users that were asked for and have no credentials are passed over.
        let results = response.results.into_iter().filter(|result| result.error_code != RESOURCE_NOT_FOUND);
        let results = results.map(|result| {
            let credentials =
                result.credential_infos.iter().map(|info| (info.mechanism, info.iterations)).collect();
            let checked = check(result.error_code, result.error_message.as_deref());
            (result.user.to_string(), checked.map(|()| credentials))
        });
        Ok(results.collect())
    }

    /// Deletes SCRAM credentials of a user.
    pub(crate) async fn delete_scram(&self, user: &str, mechanisms: &[i8]) -> Result<(), Exception> {
        let deletion = |mechanism: &i8| alter_user_scram_credentials_request::ScramCredentialDeletion {
            name: user.into(),
            mechanism: *mechanism,
            ..Default::default()
        };
        let request = AlterUserScramCredentialsRequest {
            deletions: mechanisms.iter().map(deletion).collect(),
            ..Default::default()
        };
        let response = self.ask("alterUserScramCredentials", request).await?;
        response
            .results
            .iter()
            .try_for_each(|result| check(result.error_code, result.error_message.as_deref()))
    }
}

/// The hash of Kafka's `ClientQuotaEntity`: that of a list whose only element is the map of types to names.
fn entity_hash(quota: &Quota) -> i32 {
    let hash =
        |(kind, name): &(String, Option<String>)| string_hash(kind) ^ name.as_deref().map_or(0, string_hash);
    quota.entity.iter().fold(31, |sum: i32, part| sum.wrapping_add(hash(part)))
}
