//! Followers, the ISR, and what they do to the high watermark.

use super::*;

#[test]
fn high_watermark_is_the_smallest_end_of_the_isr() {
    let mut story = Story::leader_of_three(1);
    story.append(10);
    story.fetch(2, 10);
    assert_eq!(story.high_watermark(), 0);
    story.fetch(3, 4);
    assert_eq!(story.high_watermark(), 4);
    story.fetch(3, 10);
    assert_eq!((story.high_watermark(), story.acks(10)), (10, Acks::Done));
    assert!(!story.done().iter().any(|effect| matches!(effect, Effect::Flush { .. })));
}

#[test]
fn always_waits_for_the_leaders_flush_too() {
    let mut story = Story::leader_of_three(1);
    let settings = Settings {
        min_insync_replicas: 1,
        flush_acks_all: FlushAcksAll::Always,
        replica_lag_time_max_ms: LAG_MS,
    };
    story.step(Input::SettingsChanged(settings));
    story.append(10);
    story.fetch(2, 10);
    story.fetch(3, 10);
    assert_eq!(story.high_watermark(), 0);
    story.flushed(10);
    assert_eq!(story.high_watermark(), 10);
}

#[test]
fn follower_that_lags_leaves_the_isr_and_holds_up_no_one() {
    let mut story = Story::leader_of_three(1);
    story.append(10);
    story.fetch(2, 10);
    story.wait(LAG_MS);
    assert_eq!(story.wanted_isr(), None);
    story.fetch(2, 10);
    story.wait(1);
    assert_eq!(story.wanted_isr(), Some(vec![1, 2]));
    assert_eq!(story.high_watermark(), 0, "until the controller has confirmed it");
    story.isr_changed(&[1, 2], 1);
    assert_eq!(story.high_watermark(), 10);
}

#[test]
fn follower_that_is_always_a_little_behind_stays() {
    let mut story = Story::leader_of_three(1);
    for end in 1..20 {
        story.fetch(2, end - 1);
        story.append(end);
        story.fetch(3, end);
        story.wait(LAG_MS / 2);
    }
    assert_eq!(story.wanted_isr(), None);
    assert_eq!(story.high_watermark(), 18);
}

#[test]
fn last_copy_in_sync_is_flushed() {
    let mut story = Story::leader_of_three(1);
    story.append(10);
    story.wait(LAG_MS + 1);
    assert_eq!(story.wanted_isr(), Some(vec![1]));
    story.isr_changed(&[1], 1);
    assert_eq!(story.done(), [Effect::Flush { to: Offset(10) }]);
    story.flushed(10);
    assert_eq!(story.high_watermark(), 10);
}

#[test]
fn too_few_in_sync_refuse_acks_all_and_stop_the_high_watermark() {
    let mut story = Story::leader_of_three(2);
    story.append(10);
    story.wait(LAG_MS + 1);
    story.isr_changed(&[1], 1);
    let refused = story.partition.check_produce(-1).expect_err("one is fewer than two");
    assert_eq!(refused.error, ErrorCode::NotEnoughReplicas);
    assert_eq!(story.partition.check_produce(1), Ok(()));
    story.flushed(10);
    assert_eq!((story.high_watermark(), story.acks(10)), (0, Acks::Pending));
}

#[test]
fn isr_that_shrinks_after_the_append_fails_it() {
    let mut story = Story::leader_of_three(2);
    story.append(10);
    story.fetch(2, 10);
    story.fetch(3, 10);
    story.append(11);
    story.wait(LAG_MS + 1);
    story.isr_changed(&[1], 1);
    assert_eq!(story.acks(10), Acks::Failed(ErrorCode::NotEnoughReplicasAfterAppend));
    assert_eq!(story.acks(11), Acks::Pending);
}

/// Leader with ISR 1, 2 at high watermark 10; follower 3 is out.
fn one_out() -> Story {
    let mut story = Story::leader_of_three(1);
    story.append(10);
    story.fetch(2, 10);
    story.wait(LAG_MS);
    story.fetch(2, 10);
    story.wait(1);
    story.isr_changed(&[1, 2], 1);
    assert_eq!(story.high_watermark(), 10);
    story.done();
    story
}

#[test]
fn follower_joins_at_the_high_watermark_and_counts_from_then_on() {
    let mut story = one_out();
    story.fetch(3, 9);
    assert_eq!(story.wanted_isr(), None);
    story.fetch(3, 10);
    assert_eq!(story.wanted_isr(), Some(vec![1, 2, 3]));
    story.append(12);
    story.fetch(2, 12);
    assert_eq!(story.high_watermark(), 10, "the one that joins counts before it is confirmed");
    story.isr_changed(&[1, 2, 3], 2);
    story.fetch(3, 12);
    assert_eq!(story.high_watermark(), 12);
}

#[test]
fn high_watermark_does_not_run_away_from_a_follower_that_catches_up() {
    let mut story = one_out();
    story.fetch(3, 9);
    story.append(12);
    story.fetch(2, 12);
    assert_eq!(story.high_watermark(), 12);
    // Behind again, but it has now what the end was a moment ago.
    story.fetch(3, 10);
    story.append(14);
    story.fetch(2, 14);
    assert_eq!((story.high_watermark(), story.wanted_isr()), (12, None));
    story.fetch(3, 12);
    assert_eq!(story.wanted_isr(), Some(vec![1, 2, 3]));
}

#[test]
fn follower_that_stopped_catching_up_is_not_waited_for() {
    let mut story = one_out();
    story.fetch(3, 9);
    story.append(12);
    story.fetch(2, 12);
    story.fetch(3, 10);
    story.append(14);
    story.fetch(2, 14);
    story.wait(LAG_MS);
    story.fetch(2, 14);
    assert_eq!(story.high_watermark(), 12);
    story.wait(1);
    assert_eq!(story.high_watermark(), 14);
}

#[test]
fn follower_that_is_fenced_or_of_an_old_incarnation_does_not_join() {
    for epoch in [None, Some(14)] {
        let mut story = one_out();
        story.step(Input::BrokerChanged { broker: BrokerId(3), epoch });
        story.fetch(3, 10);
        assert_eq!(story.wanted_isr(), None, "{epoch:?}");
    }
}

#[test]
fn one_change_of_the_isr_at_a_time() {
    let mut story = one_out();
    story.fetch(3, 10);
    assert!(story.wanted_isr().is_some());
    story.append(20);
    story.fetch(3, 20);
    story.wait(LAG_MS + 1);
    assert_eq!(story.wanted_isr(), None);
}

#[test]
fn refused_change_of_the_isr_is_taken_back_or_waits_or_is_sent_again() {
    let mut taken_back = one_out();
    taken_back.fetch(3, 10);
    taken_back.step(Input::IsrUnchanged { error: ErrorCode::IneligibleReplica });
    taken_back.done();
    taken_back.fetch(3, 10);
    assert_eq!(taken_back.wanted_isr(), Some(vec![1, 2, 3]), "asked again with the next fetch");

    let mut waits = one_out();
    waits.fetch(3, 10);
    waits.step(Input::IsrUnchanged { error: ErrorCode::InvalidUpdateVersion });
    waits.done();
    waits.fetch(3, 10);
    assert_eq!(waits.wanted_isr(), None, "until the image has said what is so");
    waits.step(Input::Registered(registration(1, 5, 3, &[1, 2, 3], &[1, 2])));
    waits.fetch(3, 10);
    assert_eq!(waits.wanted_isr(), Some(vec![1, 2, 3]));

    let mut again = one_out();
    again.fetch(3, 10);
    again.done();
    again.step(Input::IsrUnchanged { error: ErrorCode::NetworkException });
    assert_eq!(again.wanted_isr(), Some(vec![1, 2, 3]));
}

#[test]
fn answers_of_an_older_epoch_are_ignored() {
    let mut story = one_out();
    story.fetch(3, 10);
    story.step(Input::Registered(registration(1, 6, 9, &[1, 2, 3], &[1, 2])));
    let isr = vec![BrokerId(1)];
    story.step(Input::IsrChanged { isr: isr.clone(), leader_epoch: LeaderEpoch(5), partition_epoch: 10 });
    story.step(Input::IsrChanged { isr, leader_epoch: LeaderEpoch(6), partition_epoch: 8 });
    assert_eq!(story.partition.isr(), [BrokerId(1), BrokerId(2)]);
    story.step(Input::Registered(registration(2, 5, 4, &[1, 2, 3], &[1, 2])));
    assert!(story.partition.is_leader(), "an older registration");
}

#[test]
fn new_leader_waits_for_followers_to_reach_its_epoch() {
    let log = LogOffsets {
        log_end_offset: Offset(10),
        flushed_offset: Offset(10),
        high_watermark: Offset(8),
        ..LogOffsets::default()
    };
    let mut story = Story::new(FlushAcksAll::Auto, log);
    story.step(Input::Registered(registration(1, 5, 0, &[1, 2, 3], &[1, 2])));
    for id in [2, 3] {
        story.step(Input::BrokerChanged { broker: BrokerId(id), epoch: Some(i64::from(10 + id)) });
    }
    assert_eq!(story.high_watermark(), 8);
    story.fetch(3, 9);
    assert_eq!(story.wanted_isr(), None, "above the high watermark, but not at the epoch's start");
    story.fetch(3, 10);
    assert_eq!(story.wanted_isr(), Some(vec![1, 2, 3]));
}

#[test]
fn low_watermark_is_the_smallest_log_start_of_those_alive() {
    let mut story = Story::leader_of_three(1);
    story.append(10);
    for id in [2, 3] {
        story.fetch(id, 10);
    }
    story.step(Input::LogStartAdvanced { log_start_offset: Offset(5) });
    assert_eq!(story.partition.low_watermark(), Offset(0));
    story.done();
    story.step(Input::FollowerFetched(FollowerFetch {
        replica: BrokerId(2),
        broker_epoch: 12,
        fetch_offset: Offset(10),
        log_start_offset: Offset(5),
    }));
    assert_eq!(story.done(), []);
    story.step(Input::BrokerChanged { broker: BrokerId(3), epoch: None });
    assert_eq!(story.done(), [Effect::LowWatermark { offset: Offset(5) }]);
}
