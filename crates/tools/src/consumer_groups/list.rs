//! `--list`.

use super::options;
use crate::admin::{Admin, GroupListing};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::options::Arguments;

const TYPES: [&str; 2] = ["Classic", "Consumer"];

/// Prints ids, or a table when types or states are asked for.
pub(super) async fn run(arguments: &Arguments, admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    let (with_type, with_state) = (arguments.has("type"), arguments.has("state"));
    if !with_type && !with_state {
        for id in ids(admin).await? {
            writeln!(cx.out, "{id}")?;
        }
        return Ok(());
    }
    let (types, states) = (options::types(arguments)?, options::states(arguments)?);
    let groups = consumer_groups(admin, &types, &states).await.map_err(Exception::execution)?;
    write!(cx.out, "{}", table(&groups, with_type, with_state))?;
    Ok(())
}

/// The ids of all groups of consumers.
pub(super) async fn ids(admin: &Admin) -> Result<Vec<String>, Exception> {
    let groups = consumer_groups(admin, &TYPES, &[]).await;
    let groups = groups.map_err(|error| error.execution().wrapped("java.lang.RuntimeException"))?;
    Ok(groups.into_iter().map(|group| group.id).collect())
}

/// Groups whose members are consumers, or that have committed without members.
async fn consumer_groups(
    admin: &Admin,
    types: &[&str],
    states: &[&str],
) -> Result<Vec<GroupListing>, Exception> {
    let mut groups = admin.list_groups(types, states).await?;
    groups.retain(|group| group.protocol.is_empty() || group.protocol == "consumer");
    Ok(groups)
}

/// The groups with the columns asked for.
pub(crate) fn table(groups: &[GroupListing], with_type: bool, with_state: bool) -> String {
    let widest = groups.iter().map(|group| group.id.encode_utf16().count()).max().unwrap_or(0);
    let width = widest.max(15) + 10;
    let line = |id: &str, kind: &str, state: &str| {
        let mut line = format!("{id:<width$}");
        for column in [with_type.then_some(kind), with_state.then_some(state)].into_iter().flatten() {
            line.push_str(&format!(" {column:<20}"));
        }
        line + "\n"
    };
    let or_unknown = |text: &str| if text.is_empty() { "Unknown".to_string() } else { text.to_string() };
    let mut text = line("GROUP", "TYPE", "STATE");
    for group in groups {
        text.push_str(&line(&group.id, &or_unknown(&group.kind), &or_unknown(&group.state)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_columns_asked_for() {
        let groups = [GroupListing {
            id: "g".to_string(),
            kind: "Classic".to_string(),
            protocol: "consumer".to_string(),
            state: "Stable".to_string(),
        }];
        assert_eq!(
            table(&groups, true, true),
            "GROUP                     TYPE                 STATE               \n\
             g                         Classic              Stable              \n"
        );
        assert_eq!(
            table(&groups, false, true),
            "GROUP                     STATE               \ng                         Stable              \n"
        );
        assert_eq!(table(&[], true, false), "GROUP                     TYPE                \n");
    }
}
