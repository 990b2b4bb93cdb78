//! The checker on histories that are broken on purpose: each must show exactly the anomalies named.

use std::collections::BTreeMap;

use super::history::{self, Kind, Op, Outcome, Step};
use super::{Rules, check};

fn op(process: u64, kind: Kind, outcome: Outcome, steps: Vec<Step>) -> Op {
    Op {
        process,
        kind,
        outcome,
        invoked: 0,
        returned: 0,
        steps,
        group: None,
        offsets: BTreeMap::new(),
        earliest: BTreeMap::new(),
        epochs: BTreeMap::new(),
        keys: Vec::new(),
        rebalanced: Vec::new(),
    }
}

fn sent(key: &str, value: u32, offset: Option<i64>) -> Step {
    Step::Send(key.to_owned(), value.to_string(), offset)
}

fn got(key: &str, records: &[(i64, u32)]) -> Step {
    let records = records.iter().map(|(offset, value)| (*offset, value.to_string())).collect();
    Step::Poll(BTreeMap::from([(key.to_owned(), records)]))
}

fn send(process: u64, value: u32, offset: i64) -> Op {
    op(process, Kind::Send, Outcome::Ok, vec![sent("x", value, Some(offset))])
}

fn poll(process: u64, records: &[(i64, u32)]) -> Op {
    op(process, Kind::Poll, Outcome::Ok, vec![got("x", records)])
}

fn member(process: u64, records: &[(i64, u32)]) -> Op {
    Op { group: Some("g".to_owned()), ..poll(process, records) }
}

fn commit(process: u64, offset: i64) -> Op {
    let offsets = BTreeMap::from([("x".to_owned(), offset)]);
    Op { group: Some("g".to_owned()), offsets, ..op(process, Kind::Commit, Outcome::Ok, Vec::new()) }
}

const STRICT: Rules =
    Rules { idempotent: true, subscribed: false, transactional: false, complete: true, last_reader: None };

/// Runs the history with the place of each operation as its time.
fn expect(rules: Rules, mut history: Vec<Op>, names: &[&str]) {
    for (at, op) in history.iter_mut().enumerate() {
        (op.invoked, op.returned) = (at as u64 * 10, at as u64 * 10 + 5);
    }
    let anomalies = check(&history, rules);
    let found: Vec<&str> = anomalies.keys().copied().collect();
    assert_eq!(found, names, "{anomalies:?}");
}

#[test]
fn clean_history_is_clean() {
    expect(STRICT, vec![send(0, 1, 0), send(0, 2, 1), poll(1, &[(0, 1), (1, 2)])], &[]);
}

#[test]
fn holes_in_offsets_are_no_anomaly() {
    expect(STRICT, vec![send(0, 1, 0), send(0, 2, 5), poll(1, &[(0, 1), (5, 2)])], &[]);
}

#[test]
fn two_values_at_one_offset_are_found() {
    let unknown = op(2, Kind::Send, Outcome::Info, vec![sent("x", 2, None)]);
    let names = ["inconsistent-offset", "lost-write", "unseen"];
    expect(STRICT, vec![send(0, 1, 0), poll(1, &[(0, 2)]), unknown], &names);
}

#[test]
fn value_that_was_refused_and_read_is_found() {
    let refused = op(0, Kind::Send, Outcome::Fail, vec![sent("x", 1, None)]);
    expect(STRICT, vec![refused, poll(1, &[(0, 1)])], &["aborted-read"]);
}

#[test]
fn value_of_nobody_is_found() {
    expect(STRICT, vec![poll(1, &[(0, 9)])], &["phantom"]);
}

#[test]
fn lost_value_below_one_that_was_read_is_found() {
    expect(STRICT, vec![send(0, 1, 0), send(0, 2, 1), poll(1, &[(1, 2)])], &["lost-write", "unseen"]);
}

#[test]
fn lost_value_at_the_end_is_found_only_after_all_was_read_again() {
    let history = || vec![send(0, 1, 0), send(0, 2, 1), poll(1, &[(0, 1)])];
    expect(STRICT, history(), &["unseen"]);
    expect(Rules { complete: false, ..STRICT }, history(), &[]);
}

#[test]
fn unknown_send_that_was_never_read_is_no_anomaly() {
    let unknown = op(0, Kind::Send, Outcome::Info, vec![sent("x", 2, None)]);
    expect(STRICT, vec![send(0, 1, 0), unknown, poll(1, &[(0, 1)])], &[]);
}

#[test]
fn value_at_two_offsets_is_found() {
    let history = || vec![send(0, 1, 0), poll(1, &[(0, 1), (1, 1)])];
    expect(STRICT, history(), &["duplicate", "int-nonmonotonic-poll"]);
    expect(Rules { idempotent: false, ..STRICT }, history(), &["int-nonmonotonic-poll"]);
}

#[test]
fn acknowledged_offset_that_is_not_true_is_found() {
    expect(STRICT, vec![send(0, 1, 7), poll(1, &[(0, 1)])], &["offset-answer-wrong"]);
}

#[test]
fn skip_between_polls_is_found_unless_subscribed() {
    let history = || {
        vec![
            send(0, 1, 0),
            send(0, 2, 1),
            send(0, 3, 2),
            poll(1, &[(0, 1)]),
            poll(1, &[(2, 3)]),
            poll(2, &[(1, 2)]),
        ]
    };
    expect(STRICT, history(), &["poll-skip"]);
    expect(Rules { subscribed: true, ..STRICT }, history(), &[]);
}

#[test]
fn skip_within_a_poll_is_found_unless_rebalanced() {
    let history = |rebalanced: &[&str]| {
        let mut skipping = poll(1, &[(0, 1), (2, 3)]);
        skipping.rebalanced = rebalanced.iter().map(|&key| key.to_owned()).collect();
        vec![send(0, 1, 0), send(0, 2, 1), send(0, 3, 2), skipping, poll(2, &[(1, 2)])]
    };
    expect(STRICT, history(&[]), &["int-poll-skip"]);
    expect(STRICT, history(&["x"]), &[]);
}

#[test]
fn step_back_between_polls_is_found_unless_assigned_anew() {
    let mut history = vec![send(0, 1, 0), send(0, 2, 1), poll(1, &[(0, 1), (1, 2)]), poll(1, &[(0, 1)])];
    expect(STRICT, history.clone(), &["nonmonotonic-poll"]);
    history.insert(3, op(1, Kind::Assign, Outcome::Ok, Vec::new()));
    expect(STRICT, history, &[]);
}

#[test]
fn sends_that_changed_places_are_found() {
    expect(STRICT, vec![send(0, 1, 1), send(0, 2, 0), poll(1, &[(0, 2), (1, 1)])], &["nonmonotonic-send"]);
}

#[test]
fn sends_of_different_producers_have_no_order() {
    expect(STRICT, vec![send(0, 1, 1), send(5, 2, 0), poll(1, &[(0, 2), (1, 1)])], &[]);
}

#[test]
fn committed_offset_that_goes_back_is_found() {
    let history =
        vec![send(0, 1, 0), send(0, 2, 1), member(1, &[(0, 1), (1, 2)]), commit(1, 2), commit(2, 1)];
    expect(STRICT, history, &["commit-loss"]);
}

#[test]
fn commits_at_the_same_time_have_no_order() {
    let mut history =
        vec![send(0, 1, 0), send(0, 2, 1), member(1, &[(0, 1), (1, 2)]), commit(1, 2), commit(2, 1)];
    for op in &mut history {
        (op.invoked, op.returned) = (0, 10);
    }
    assert!(check(&history, STRICT).is_empty());
}

#[test]
fn commit_beyond_what_was_delivered_is_found() {
    let history =
        vec![send(0, 1, 0), send(0, 2, 1), member(1, &[(0, 1)]), commit(1, 2), poll(3, &[(0, 1), (1, 2)])];
    expect(STRICT, history, &["commit-ahead", "skipped-delivery"]);
}

#[test]
fn record_below_the_committed_offset_that_no_member_got_is_found() {
    let history = vec![
        send(0, 1, 0),
        send(0, 2, 1),
        send(0, 3, 2),
        member(1, &[(0, 1)]),
        member(2, &[(2, 3)]),
        commit(2, 3),
        poll(3, &[(0, 1), (1, 2), (2, 3)]),
    ];
    expect(STRICT, history, &["skipped-delivery"]);
}

#[test]
fn transaction_proved_by_one_value_lost_the_other() {
    let rules = Rules { transactional: true, complete: false, ..STRICT };
    let unknown = op(0, Kind::Txn, Outcome::Info, vec![sent("x", 1, Some(0)), sent("y", 2, Some(0))]);
    let after = op(2, Kind::Send, Outcome::Ok, vec![sent("y", 3, Some(1))]);
    let read = op(3, Kind::Poll, Outcome::Ok, vec![got("y", &[(1, 3)])]);
    expect(rules, vec![unknown, poll(1, &[(0, 1)]), after, read], &["lost-write", "torn-txn"]);
}

#[test]
fn transaction_that_reads_itself_is_found() {
    let rules = Rules { transactional: true, ..STRICT };
    let own = op(0, Kind::Txn, Outcome::Ok, vec![sent("x", 1, Some(0)), got("x", &[(0, 1)])]);
    expect(rules, vec![own], &["precommitted-read"]);
}

#[test]
fn transactions_that_read_each_other_are_found() {
    let rules = Rules { transactional: true, ..STRICT };
    let one = op(0, Kind::Txn, Outcome::Ok, vec![sent("x", 1, Some(0)), got("y", &[(0, 2)])]);
    let two = op(1, Kind::Txn, Outcome::Ok, vec![sent("y", 2, Some(0)), got("x", &[(0, 1)])]);
    expect(rules, vec![one, two], &["G1c"]);
}

#[test]
fn json_lines_are_read_and_a_torn_last_line_is_dropped() {
    let text = concat!(
        r#"{"proc":3,"f":"send","type":"ok","inv":1,"ret":2,"mops":[{"send":["t-0","3-17",41]}]}"#,
        "\n",
        r#"{"proc":3,"f":"send","type":"info","mops":[{"send":["t-0","3-18",null]}]}"#,
        "\n",
        r#"{"proc":5,"f":"poll","type":"ok","group":"g","mops":[{"poll":{"t-0":[[41,"3-17"]]}}]}"#,
        "\n",
        r#"{"proc":5,"f":"commit","type":"ok","group":"g","offsets":{"t-0":42}}"#,
        "\n",
        r#"{"proc":5,"f":"poll","ty"#,
    );
    let history = history::parse(text).unwrap();
    assert_eq!(history.len(), 4);
    assert!(check(&history, Rules { subscribed: true, ..STRICT }).is_empty());
}

type Records = Vec<(i64, String)>;

/// A clean history of several producers and consumers, broken in one place by a number: each break must be found.
#[test]
fn every_single_break_of_a_clean_history_is_found() {
    let clean = || {
        let mut history = Vec::new();
        for value in 0..200u32 {
            history.push(send(u64::from(value % 4), value, i64::from(value)));
        }
        let records: Vec<(i64, u32)> = (0..200).map(|value| (i64::from(value), value)).collect();
        for chunk in records.chunks(20) {
            history.push(member(10, chunk));
            history.push(commit(10, chunk[19].0 + 1));
        }
        history
    };
    expect(STRICT, clean(), &[]);
    let polled = |history: &mut Vec<Op>, at: usize, change: &dyn Fn(&mut Records)| {
        let Step::Poll(records) = &mut history[200 + 2 * at].steps[0] else { panic!("a poll is expected") };
        change(records.get_mut("x").unwrap());
    };
    for at in 0..9 {
        let mut dropped = clean();
        polled(&mut dropped, at, &|records| drop(records.remove(7)));
        assert!(check(&dropped, STRICT).contains_key("lost-write"), "{at}");
        let mut doubled = clean();
        polled(&mut doubled, at, &|records| records[8].1 = records[7].1.clone());
        assert!(check(&doubled, STRICT).contains_key("duplicate"), "{at}");
        let mut swapped = clean();
        polled(&mut swapped, at, &|records| {
            let (a, b) = (records[3].1.clone(), records[4].1.clone());
            (records[3].1, records[4].1) = (b, a);
        });
        assert!(check(&swapped, STRICT).contains_key("inconsistent-offset"), "{at}");
        let mut renamed = clean();
        polled(&mut renamed, at, &|records| records[0].1 = "nobody's".to_owned());
        assert!(check(&renamed, STRICT).contains_key("phantom"), "{at}");
        let mut refused = clean();
        refused[at * 20].outcome = Outcome::Fail;
        assert!(check(&refused, STRICT).contains_key("aborted-read"), "{at}");
        let mut back = clean();
        back[201 + 2 * (at + 1)].offsets.insert("x".to_owned(), 1);
        let times = |history: &mut Vec<Op>| {
            for (place, op) in history.iter_mut().enumerate() {
                (op.invoked, op.returned) = (place as u64 * 10, place as u64 * 10 + 5);
            }
        };
        times(&mut back);
        assert!(check(&back, STRICT).contains_key("commit-loss"), "{at}");
    }
}

fn list_offsets(process: u64, earliest: i64, latest: i64) -> Op {
    let at = |offset| BTreeMap::from([("x".to_owned(), offset)]);
    let op = op(process, Kind::ListOffsets, Outcome::Ok, Vec::new());
    Op { earliest: at(earliest), offsets: at(latest), ..op }
}

fn with_epochs(op: Op, epochs: &[(i64, i32)]) -> Op {
    Op { epochs: BTreeMap::from([("x".to_owned(), epochs.to_vec())]), ..op }
}

fn broker_dies() -> Op {
    op(u64::MAX, Kind::Crash, Outcome::Ok, Vec::new())
}

#[test]
fn an_end_before_what_was_acknowledged_is_found() {
    let history =
        |latest| vec![send(0, 1, 0), send(0, 2, 1), list_offsets(1, 0, latest), poll(2, &[(0, 1), (1, 2)])];
    expect(STRICT, history(2), &[]);
    expect(STRICT, history(1), &["list-offsets"]);
}

#[test]
fn a_start_that_goes_back_is_found_unless_the_broker_died() {
    let history = || vec![send(0, 1, 0), poll(2, &[(0, 1)]), list_offsets(1, 1, 1), list_offsets(1, 0, 1)];
    expect(STRICT, history(), &["list-offsets"]);
    let mut died = history();
    died.insert(3, broker_dies());
    expect(STRICT, died, &[]);
}

#[test]
fn epochs_that_decrease_are_found() {
    let history = |epoch| {
        let polled = with_epochs(poll(2, &[(0, 1), (1, 2)]), &[(0, 5), (1, epoch)]);
        vec![send(0, 1, 0), send(0, 2, 1), polled]
    };
    expect(STRICT, history(5), &[]);
    expect(STRICT, history(4), &["epoch-order"]);
}

#[test]
fn bytes_that_changed_are_found() {
    let mangled = Step::Poll(BTreeMap::from([("x".to_owned(), vec![(0, "mangled 00".to_owned())])]));
    expect(STRICT, vec![op(1, Kind::Poll, Outcome::Ok, vec![mangled])], &["mangled"]);
}

#[test]
fn what_a_last_reader_does_not_find_is_lost() {
    let rules = Rules { last_reader: Some(9), ..STRICT };
    let history = |start| {
        vec![
            send(0, 1, 0),
            send(0, 2, 1),
            poll(2, &[(0, 1), (1, 2)]),
            list_offsets(9, start, 2),
            poll(9, &[(1, 2)]),
        ]
    };
    expect(rules, history(1), &[]);
    expect(rules, history(0), &["lost-acknowledged", "vanished"]);
    // Another value took its place: what was read before is gone all the same.
    let other = vec![
        op(0, Kind::Send, Outcome::Info, vec![sent("x", 1, None)]),
        poll(2, &[(0, 1)]),
        send(5, 2, 0),
        list_offsets(9, 0, 1),
        poll(9, &[(0, 2)]),
    ];
    expect(rules, other, &["inconsistent-offset", "vanished"]);
}

#[test]
fn a_history_of_little_is_inconclusive() {
    let history =
        vec![send(0, 1, 0), broker_dies(), send(0, 2, 1), broker_dies(), poll(1, &[(0, 1), (1, 2)])];
    assert!(super::inconclusive(&history, 3).is_some());
    assert!(super::inconclusive(&history[..1], 1).is_none());
    let mut idle = history;
    for (at, op) in idle.iter_mut().enumerate() {
        op.returned = at as u64;
    }
    assert!(super::inconclusive(&idle, 1).is_some(), "nothing was done between the faults");
}

#[test]
fn a_history_is_read_as_it_was_written() {
    let history =
        vec![send(0, 1, 0), with_epochs(poll(1, &[(0, 1)]), &[(0, 3)]), list_offsets(1, 0, 1), commit(1, 1)];
    let again = history::parse(&history::write(&history).unwrap()).unwrap();
    assert_eq!(format!("{again:?}"), format!("{history:?}"));
}
