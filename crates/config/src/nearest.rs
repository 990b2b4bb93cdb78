//! The known key nearest to a misspelt one.

use crate::table::ConfigTable;

/// The broker key that differs least from `name`, if it differs little enough to be meant.
pub(crate) fn nearest_broker_key(name: &str) -> Option<&'static str> {
    let candidates = ConfigTable::Broker.keys().iter().map(|key| key.name);
    nearest(name, candidates)
}

/// Kafka's names are long and alike, so that one edit in eight characters is still a misspelling, but no more.
fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance_max = 2.max(name.len() / 8);
    candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= distance_max)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many characters must be put in, taken out, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_previous = vec![0; b.len() + 1];
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut current = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = previous[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            current[j] = replace.min(previous[j] + 1).min(current[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                current[j] = current[j].min(before_previous[j - 2] + 1);
            }
        }
        before_previous = previous;
        previous = current;
    }
    previous[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (a, b, expect) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "acb", 1),
            ("abc", "abcd", 1),
            ("kitten", "sitting", 3),
            ("", "ab", 2),
        ] {
            assert_eq!(distance(a, b), expect, "{a} {b}");
            assert_eq!(distance(b, a), expect, "{b} {a}");
        }
    }

    #[test]
    fn a_misspelling_finds_its_key_and_another_word_none() {
        for (name, expect) in [
            ("log.retention.hour", Some("log.retention.hours")),
            ("log.dri", Some("log.dir")),
            ("advertized.listeners", Some("advertised.listeners")),
            ("num.partition", Some("num.partitions")),
            ("auto.create.topic.enable", Some("auto.create.topics.enable")),
            ("zookeeper.connect", None),
            ("home", None),
        ] {
            assert_eq!(nearest_broker_key(name), expect, "{name}");
        }
    }
}
