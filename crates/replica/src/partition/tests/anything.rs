//! Any order of events: what holds in all of them.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Append(i64),
    Flush,
    Fetch { replica: i32, behind: i64 },
    Wait(i64),
    Answer { accept: bool, error: usize },
    Broker { replica: i32, alive: bool },
    Elect { me: bool },
    LogStart(u8),
    Settings { min: i32, mode: u8 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..4i64).prop_map(Step::Append),
        2 => Just(Step::Flush),
        6 => (2..4i32, 0..5i64).prop_map(|(replica, behind)| Step::Fetch { replica, behind }),
        3 => (1..LAG_MS).prop_map(Step::Wait),
        4 => (any::<bool>(), 0..4usize).prop_map(|(accept, error)| Step::Answer { accept, error }),
        1 => (2..4i32, any::<bool>()).prop_map(|(replica, alive)| Step::Broker { replica, alive }),
        1 => any::<bool>().prop_map(|me| Step::Elect { me }),
        1 => any::<u8>().prop_map(Step::LogStart),
        1 => (0..4i32, 0..3u8).prop_map(|(min, mode)| Step::Settings { min, mode }),
    ];
    prop::collection::vec(step, 1..80)
}

const ERRORS: [ErrorCode; 4] = [
    ErrorCode::IneligibleReplica,
    ErrorCode::InvalidUpdateVersion,
    ErrorCode::NetworkException,
    ErrorCode::FencedLeaderEpoch,
];

/// Everybody in the ISR that the controller knows has what is below the leader's high watermark: any of them may be
/// elected.
fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut story = Story::leader_of_three(1);
    let (mut end, mut start, mut partition_epoch, mut leader_epoch) = (0, 0, 0, 5);
    let mut has = [0i64; 4];
    // The controller's ISR, and what it was asked for and has not answered.
    let mut isr = vec![1, 2, 3];
    let mut asked: Option<(Vec<i32>, i32, i32)> = None;
    for step in steps {
        match step {
            Step::Append(count) => {
                end += count;
                story.append(end);
            }
            Step::Flush => story.flushed(end),
            Step::Fetch { replica, behind } => {
                let at = has[replica as usize].max(end - behind).max(start);
                has[replica as usize] = at;
                story.fetch(replica, at);
            }
            Step::Wait(ms) => story.wait(ms),
            Step::Answer { accept, error } => {
                if let Some((wanted, at_leader_epoch, at_partition_epoch)) = asked.take() {
                    let current = (at_leader_epoch, at_partition_epoch) == (leader_epoch, partition_epoch);
                    if accept && current {
                        isr = wanted;
                        partition_epoch += 1;
                        story.isr_changed(&isr, partition_epoch);
                    } else {
                        story.step(Input::IsrUnchanged { error: ERRORS[error] });
                    }
                }
            }
            Step::Broker { replica, alive } => {
                let epoch = alive.then_some(i64::from(10 + replica));
                story.step(Input::BrokerChanged { broker: BrokerId(replica), epoch });
            }
            Step::Elect { me } => {
                leader_epoch += 1;
                partition_epoch += 1;
                // Broker 1 leads if it is elected; otherwise there is none for a while.
                let leader = if me && isr.contains(&1) { 1 } else { -1 };
                story.step(Input::Registered(registration(
                    leader,
                    leader_epoch,
                    partition_epoch,
                    &[1, 2, 3],
                    &isr,
                )));
            }
            Step::LogStart(part) => {
                start = start.max(story.high_watermark() * i64::from(part) / 255);
                story.step(Input::LogStartAdvanced { log_start_offset: Offset(start) });
            }
            Step::Settings { min, mode } => {
                let mode = [FlushAcksAll::Auto, FlushAcksAll::Always, FlushAcksAll::Never][mode as usize];
                story.step(Input::SettingsChanged(Settings {
                    min_insync_replicas: min,
                    flush_acks_all: mode,
                    replica_lag_time_max_ms: LAG_MS,
                }));
            }
        }
        for effect in story.done() {
            if let Effect::AlterPartition { isr, leader_epoch, partition_epoch } = effect {
                asked = Some((isr.iter().map(|(id, _)| id.0).collect(), leader_epoch.0, partition_epoch));
            }
        }
        for &id in isr.iter().filter(|&&id| id != 1) {
            prop_assert!(
                has[id as usize] >= story.high_watermark(),
                "{} has {}, high watermark {}",
                id,
                has[id as usize],
                story.high_watermark()
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn high_watermark_never_passes_the_smallest_end_of_the_isr(steps in steps()) {
        run(steps)?;
    }
}
