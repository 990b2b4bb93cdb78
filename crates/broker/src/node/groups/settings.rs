//! The broker's configuration as the group coordinators want it.

use ottla_config::BrokerSettings;
use ottla_coordinator::group::Settings;

/// What `group.initial.rebalance.delay.ms=0` comes to. In Kafka too it is not nothing: the delay passes through a timer and
/// the coordinator's queue, and members that begin together get into one generation if the second joins within some
/// milliseconds of the first: 2 to 3 on an idle machine, more on a busy one, which slows Kafka more than its clients.
/// Those are tested against Kafka and count on it.
const INITIAL_REBALANCE_DELAY_MIN_MS: i32 = 10;

pub(in crate::node) fn settings(broker: &BrokerSettings) -> Settings {
    let groups = &broker.groups;
    Settings {
        group_min_session_timeout_ms: groups.min_session_timeout_ms,
        group_max_session_timeout_ms: groups.max_session_timeout_ms,
        group_initial_rebalance_delay_ms: groups
            .initial_rebalance_delay_ms
            .max(INITIAL_REBALANCE_DELAY_MIN_MS),
        group_max_size: groups.max_size,
        offset_metadata_max_bytes: groups.offset_metadata_max_bytes,
        offsets_retention_ms: groups.offsets_retention_ms,
        offsets_retention_check_interval_ms: groups.offsets_retention_check_interval_ms,
        offsets_commit_timeout_ms: groups.offsets_commit_timeout_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_config::{Inputs, load};

    fn check(configured_ms: i32, expected_ms: i32) {
        let overrides = vec![format!("group.initial.rebalance.delay.ms={configured_ms}")];
        let loaded = load(&Inputs { overrides, ..Inputs::default() }).unwrap();
        assert_eq!(settings(&loaded.settings).group_initial_rebalance_delay_ms, expected_ms);
    }

    #[test]
    fn members_that_begin_together_get_into_one_generation_without_a_delay_too() {
        check(0, INITIAL_REBALANCE_DELAY_MIN_MS);
        check(3_000, 3_000);
    }
}
