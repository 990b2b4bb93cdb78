//! Stories of one partition, and what holds in all of them.

mod anything;
mod replicated;

use ottla_protocol::{BrokerId, ErrorCode, LeaderEpoch, Offset};

use super::*;

const LAG_MS: i64 = 30_000;
const START: i64 = 1_000_000;

/// Broker 1's replica, and its clock. Checks the invariants after each step, and that a leader's high watermark never
/// goes back.
struct Story {
    partition: Partition,
    now: i64,
    effects: Vec<Effect>,
}

fn registration(
    leader: i32,
    leader_epoch: i32,
    partition_epoch: i32,
    replicas: &[i32],
    isr: &[i32],
) -> Registration {
    let ids = |ids: &[i32]| ids.iter().map(|&id| BrokerId(id)).collect();
    Registration {
        leader: (leader >= 0).then_some(BrokerId(leader)),
        leader_epoch: LeaderEpoch(leader_epoch),
        partition_epoch,
        replicas: ids(replicas),
        isr: ids(isr),
    }
}

impl Story {
    fn new(flush_acks_all: FlushAcksAll, log: LogOffsets) -> Story {
        let settings = Settings { min_insync_replicas: 1, flush_acks_all, replica_lag_time_max_ms: LAG_MS };
        Story { partition: Partition::new(BrokerId(1), settings, log), now: START, effects: Vec::new() }
    }

    /// Leader of three, all in sync, at epoch 5, with followers registered at broker epochs 12 and 13.
    fn leader_of_three(min_insync_replicas: i32) -> Story {
        let mut story = Story::new(FlushAcksAll::Auto, LogOffsets::default());
        let settings = Settings {
            min_insync_replicas,
            flush_acks_all: FlushAcksAll::Auto,
            replica_lag_time_max_ms: LAG_MS,
        };
        story.step(Input::SettingsChanged(settings));
        story.step(Input::Registered(registration(1, 5, 0, &[1, 2, 3], &[1, 2, 3])));
        for id in [2, 3] {
            story.step(Input::BrokerChanged { broker: BrokerId(id), epoch: Some(i64::from(10 + id)) });
        }
        story.effects.clear();
        story
    }

    fn step(&mut self, input: Input) {
        let before =
            (self.partition.is_leader(), self.partition.leader_epoch(), self.partition.high_watermark());
        self.partition.step(self.now, input.clone(), &mut self.effects);
        self.partition.check();
        if before.0 && self.partition.is_leader() && before.1 == self.partition.leader_epoch() {
            assert!(before.2 <= self.partition.high_watermark(), "high watermark went back at {input:?}");
        }
    }

    fn append(&mut self, log_end_offset: i64) {
        self.step(Input::Appended { log_end_offset: Offset(log_end_offset) });
    }

    fn flushed(&mut self, offset: i64) {
        self.step(Input::Flushed { offset: Offset(offset) });
    }

    fn fetch(&mut self, replica: i32, fetch_offset: i64) {
        self.step(Input::FollowerFetched(FollowerFetch {
            replica: BrokerId(replica),
            broker_epoch: i64::from(10 + replica),
            fetch_offset: Offset(fetch_offset),
            log_start_offset: Offset(0),
        }));
    }

    fn wait(&mut self, ms: i64) {
        self.now += ms;
        while let Some(deadline) = self.partition.deadline().filter(|&deadline| deadline <= self.now) {
            self.step(Input::Timeout);
            assert!(self.partition.deadline().is_none_or(|next| next > deadline), "deadlines go on");
        }
    }

    fn high_watermark(&self) -> i64 {
        self.partition.high_watermark().0
    }

    fn acks(&self, required: i64) -> Acks {
        self.partition.acks(Offset(required))
    }

    /// The effects since the last call.
    fn done(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    fn wanted_isr(&mut self) -> Option<Vec<i32>> {
        self.done().into_iter().find_map(|effect| match effect {
            Effect::AlterPartition { isr, .. } => Some(isr.iter().map(|(id, _)| id.0).collect()),
            _ => None,
        })
    }

    fn isr_changed(&mut self, isr: &[i32], partition_epoch: i32) {
        let isr = isr.iter().map(|&id| BrokerId(id)).collect();
        let leader_epoch = self.partition.leader_epoch();
        self.step(Input::IsrChanged { isr, leader_epoch, partition_epoch });
    }
}

mod one_replica {
    use super::*;

    fn leader(flush_acks_all: FlushAcksAll) -> Story {
        let mut story = Story::new(flush_acks_all, LogOffsets::default());
        story.step(Input::Registered(registration(1, 0, 0, &[1], &[1])));
        let expected = Effect::BecameLeader { leader_epoch: LeaderEpoch(0), start_offset: Offset(0) };
        assert_eq!(story.done(), [expected]);
        story
    }

    #[test]
    fn high_watermark_follows_the_append_into_the_page_cache() {
        let mut story = leader(FlushAcksAll::Never);
        story.append(3);
        assert_eq!(story.done(), [Effect::HighWatermark { offset: Offset(3) }]);
        assert_eq!(story.acks(3), Acks::Done);
        assert_eq!(story.acks(4), Acks::Pending);
    }

    #[test]
    fn high_watermark_follows_the_flush() {
        for mode in [FlushAcksAll::Auto, FlushAcksAll::Always] {
            let mut story = leader(mode);
            story.append(3);
            assert_eq!(story.done(), [Effect::Flush { to: Offset(3) }], "no one need wait for it");
            assert_eq!(story.acks(3), Acks::Pending);
            story.append(5);
            assert_eq!(story.done(), [Effect::Flush { to: Offset(5) }]);
            story.flushed(3);
            assert_eq!(story.done(), [Effect::HighWatermark { offset: Offset(3) }]);
            assert_eq!((story.acks(3), story.acks(5)), (Acks::Done, Acks::Pending));
            story.flushed(5);
            assert_eq!(story.acks(5), Acks::Done);
        }
    }

    #[test]
    fn late_flush_of_an_older_offset_changes_nothing() {
        let mut story = leader(FlushAcksAll::Auto);
        story.append(5);
        story.flushed(5);
        story.done();
        story.flushed(3);
        assert_eq!(story.done(), []);
    }

    #[test]
    fn restart_makes_everything_on_disk_visible_and_flushes_the_rest() {
        let log =
            LogOffsets { flushed_offset: Offset(7), log_end_offset: Offset(9), ..LogOffsets::default() };
        let mut story = Story::new(FlushAcksAll::Auto, log);
        story.step(Input::Registered(registration(1, 4, 8, &[1], &[1])));
        let expected = [
            Effect::BecameLeader { leader_epoch: LeaderEpoch(4), start_offset: Offset(9) },
            Effect::Flush { to: Offset(9) },
            Effect::HighWatermark { offset: Offset(7) },
        ];
        assert_eq!(story.done(), expected);
        assert_eq!(story.partition.epoch_start_offset(), Some(Offset(9)));
    }

    #[test]
    fn high_watermark_from_the_checkpoint_is_kept_within_the_log() {
        for (saved, expected) in [(0, 4), (6, 6), (99, 9)] {
            let log = LogOffsets {
                log_start_offset: Offset(4),
                log_end_offset: Offset(9),
                flushed_offset: Offset(9),
                high_watermark: Offset(saved),
            };
            assert_eq!(Story::new(FlushAcksAll::Auto, log).high_watermark(), expected);
        }
    }

    #[test]
    fn log_start_moves_the_high_watermark_along() {
        let mut story = leader(FlushAcksAll::Auto);
        story.append(9);
        story.flushed(4);
        story.done();
        story.step(Input::LogStartAdvanced { log_start_offset: Offset(6) });
        let expected =
            [Effect::HighWatermark { offset: Offset(6) }, Effect::LowWatermark { offset: Offset(6) }];
        assert_eq!(story.done(), expected);
        story.step(Input::LogStartAdvanced { log_start_offset: Offset(5) });
        assert_eq!(story.done(), []);
    }

    #[test]
    fn partition_without_followers_needs_no_timer() {
        let mut story = leader(FlushAcksAll::Auto);
        story.append(9);
        assert_eq!(story.partition.deadline(), None);
    }

    #[test]
    fn more_min_insync_replicas_than_replicas_are_no_obstacle() {
        let mut story = leader(FlushAcksAll::Never);
        let settings = Settings {
            min_insync_replicas: 2,
            flush_acks_all: FlushAcksAll::Never,
            replica_lag_time_max_ms: LAG_MS,
        };
        story.step(Input::SettingsChanged(settings));
        assert_eq!(story.partition.check_produce(-1), Ok(()));
        story.append(1);
        assert_eq!(story.acks(1), Acks::Done);
    }
}

mod requests {
    use super::*;

    fn check(story: &Story, epoch: i32, needs_leader: bool, expected: ErrorCode) {
        let found = story.partition.check_request(LeaderEpoch(epoch), needs_leader);
        let error = found.err().map_or(ErrorCode::None, |refusal| refusal.error);
        assert_eq!(error, expected, "epoch {epoch}");
    }

    #[test]
    fn leader_epochs_are_compared_with_the_one_known() {
        let story = Story::leader_of_three(1);
        check(&story, -1, true, ErrorCode::None);
        check(&story, 5, true, ErrorCode::None);
        check(&story, 4, true, ErrorCode::FencedLeaderEpoch);
        check(&story, -2, true, ErrorCode::FencedLeaderEpoch);
        check(&story, 6, true, ErrorCode::UnknownLeaderEpoch);
    }

    #[test]
    fn followers_answer_only_what_needs_no_leader() {
        let mut story = Story::leader_of_three(1);
        story.step(Input::Registered(registration(2, 6, 1, &[1, 2, 3], &[1, 2, 3])));
        check(&story, 6, true, ErrorCode::NotLeaderOrFollower);
        check(&story, 6, false, ErrorCode::None);
        check(&story, 5, false, ErrorCode::FencedLeaderEpoch);
        let refused = story.partition.check_produce(1).expect_err("not the leader");
        assert_eq!(refused.error, ErrorCode::NotLeaderOrFollower);
        assert_eq!(story.acks(0), Acks::Failed(ErrorCode::NotLeaderOrFollower));
    }

    #[test]
    fn followers_must_be_replicas_of_their_newest_incarnation() {
        let story = Story::leader_of_three(1);
        let check = |replica, broker_epoch, epoch, expected| {
            let found = story.partition.check_follower(BrokerId(replica), broker_epoch, LeaderEpoch(epoch));
            assert_eq!(
                found.err().map(|refusal| refusal.error),
                expected,
                "{replica} {broker_epoch} {epoch}"
            );
        };
        check(2, 12, 5, None);
        check(2, -1, 5, None);
        check(2, 99, 5, None);
        check(2, 11, 5, Some(ErrorCode::NotLeaderOrFollower));
        check(7, 12, 5, Some(ErrorCode::UnknownLeaderEpoch));
        check(7, 12, -1, Some(ErrorCode::NotLeaderOrFollower));
        check(1, 12, 5, Some(ErrorCode::UnknownLeaderEpoch));
    }
}

mod follower {
    use super::*;

    fn new() -> Story {
        let log = LogOffsets {
            log_end_offset: Offset(10),
            flushed_offset: Offset(10),
            high_watermark: Offset(4),
            ..LogOffsets::default()
        };
        let mut story = Story::new(FlushAcksAll::Auto, log);
        story.step(Input::Registered(registration(2, 5, 0, &[1, 2], &[1, 2])));
        let expected = Effect::BecameFollower { leader: Some(BrokerId(2)), leader_epoch: LeaderEpoch(5) };
        assert_eq!(story.done(), [expected]);
        story
    }

    #[test]
    fn high_watermark_is_the_leaders_as_far_as_the_log_goes() {
        let mut story = new();
        story.step(Input::LeaderHighWatermark { high_watermark: Offset(25) });
        assert_eq!(story.done(), [Effect::HighWatermark { offset: Offset(10) }]);
        story.append(30);
        story.step(Input::LeaderHighWatermark { high_watermark: Offset(25) });
        assert_eq!(story.high_watermark(), 25);
    }

    #[test]
    fn truncation_takes_the_high_watermark_along() {
        let mut story = new();
        story.step(Input::LeaderHighWatermark { high_watermark: Offset(9) });
        story.step(Input::Truncated { log_start_offset: Offset(0), log_end_offset: Offset(6) });
        assert_eq!(story.high_watermark(), 6);
        story.step(Input::Truncated { log_start_offset: Offset(40), log_end_offset: Offset(40) });
        assert_eq!(story.high_watermark(), 40);
    }

    #[test]
    fn what_leaders_are_told_does_not_concern_it() {
        let mut story = new();
        story.append(12);
        story.fetch(2, 12);
        story.isr_changed(&[1], 7);
        story.step(Input::IsrUnchanged { error: ErrorCode::NetworkException });
        story.step(Input::Timeout);
        assert_eq!((story.done(), story.high_watermark()), (vec![], 4));
    }

    #[test]
    fn replica_that_is_removed_leads_no_more() {
        let mut story = Story::leader_of_three(1);
        story.step(Input::Registered(registration(1, 5, 1, &[2, 3], &[2, 3])));
        assert_eq!(story.done(), [Effect::BecameFollower { leader: None, leader_epoch: LeaderEpoch(5) }]);
        story.step(Input::Registered(registration(-1, 6, 2, &[1, 2, 3], &[2])));
        assert_eq!(story.done(), [Effect::BecameFollower { leader: None, leader_epoch: LeaderEpoch(6) }]);
    }
}
