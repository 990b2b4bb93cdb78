//! Any order of requests: what the reader knows in the end.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Produce(i32),
    DeleteAll(i32),
    Fetch { asked: Vec<(i32, i64)>, forgotten: Vec<i32> },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..3i32).prop_map(Step::Produce),
        1 => (0..3i32).prop_map(Step::DeleteAll),
        6 => (prop::collection::vec((0..5i32, 0..6i64), 0..4), prop::collection::vec(0..5i32, 0..2))
            .prop_map(|(asked, forgotten)| Step::Fetch { asked, forgotten }),
    ];
    prop::collection::vec(step, 1..40)
}

/// A reader that keeps what it was told, and a broker whose answers name only what changed: what the reader has in
/// the end is what reading everything would have told.
fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut broker = Broker::new(1);
    let id = broker.open(&[(T, 0, 0)]);
    let mut order = vec![0];
    let mut offsets = BTreeMap::from([(0, 0i64)]);
    let mut told = BTreeMap::from([(0, (0i64, 0i64))]);
    let mut epoch = 0;
    for step in steps {
        match step {
            Step::Produce(partition) => broker.produce(partition),
            Step::DeleteAll(partition) => {
                let end = broker.partitions[&partition].1;
                broker.partitions.insert(partition, (end, end));
            }
            Step::Fetch { asked, forgotten } => {
                epoch += 1;
                let named: Vec<_> = asked.iter().map(|&(partition, offset)| (T, partition, offset)).collect();
                let forget: Vec<_> = forgotten.iter().map(|&partition| (T, partition)).collect();
                for (partition, offset) in asked {
                    if offsets.insert(partition, offset).is_none() {
                        order.push(partition);
                    }
                }
                for partition in forgotten {
                    offsets.remove(&partition);
                    told.remove(&partition);
                    order.retain(|&kept| kept != partition);
                }
                if order.is_empty() {
                    return Ok(());
                }
                let context = broker.begin((id, epoch), &named, &forget).expect("the epoch is right");
                let list: Vec<_> = context.list.iter().map(|item| item.partition).collect();
                prop_assert_eq!(&list, &order);
                let (error, _, answers) = broker.finish(context);
                prop_assert_eq!(error, ErrorCode::None);
                let mut with_records = Vec::new();
                for (partition, error, high_watermark, has_records) in answers {
                    if has_records {
                        with_records.push(partition);
                    }
                    if error == ErrorCode::None {
                        told.insert(partition, (broker.partitions[&partition].0, high_watermark));
                    } else {
                        told.remove(&partition);
                    }
                }
                order.retain(|partition| !with_records.contains(partition));
                order.extend(with_records);
                let readable = offsets.iter().filter_map(|(partition, &offset)| {
                    let &(start, end) = broker.partitions.get(partition)?;
                    (start <= offset && offset <= end).then_some((*partition, (start, end)))
                });
                prop_assert_eq!(&told, &readable.collect::<BTreeMap<_, _>>());
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reader_of_changes_knows_what_a_reader_of_everything_knows(steps in steps()) {
        run(steps)?;
    }
}
