//! Who gets which partition: the assignors of Kafka's consumer, as functions of the members and the topics.
//!
//! The group's leader runs one of these; members of other clients take its word, so the range and round-robin results
//! are exactly those of Java's assignors. The sticky ones keep their promises (balance, few moves, and for the
//! cooperative one that nobody is given what another still holds), not Java's order of choices.
//! Racks are not looked at.

use crate::TopicPartition;
use bytestring::ByteString;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A member as its subscription describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Member {
    pub(super) id: ByteString,
    /// `group.instance.id` of a static member (KIP-345).
    pub(super) instance_id: Option<ByteString>,
    pub(super) topics: Vec<ByteString>,
    /// What it has now.
    pub(super) owned: Vec<TopicPartition>,
    /// In which generation it got that; -1 if unknown.
    pub(super) generation: i32,
}

impl Member {
    fn wants(&self, topic: &ByteString) -> bool {
        self.topics.contains(topic)
    }

    /// Static members first, by their own names, so that a restart changes nothing.
    fn rank(&self) -> (bool, &ByteString) {
        (self.instance_id.is_none(), self.instance_id.as_ref().unwrap_or(&self.id))
    }
}

/// How many partitions each topic has; topics that do not exist are not in it.
pub(super) type Topics = BTreeMap<ByteString, i32>;
/// Member id to partitions.
pub(super) type Assignments = BTreeMap<ByteString, Vec<TopicPartition>>;

/// An assignor of `partition.assignment.strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// Each topic by itself, in ranges.
    Range,
    /// All partitions in turn.
    RoundRobin,
    /// Balanced, and as it was.
    Sticky,
    /// The same, without taking everything away before a rebalance (KIP-429).
    CooperativeSticky,
}

impl Assignor {
    const ALL: [Assignor; 4] =
        [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky, Assignor::CooperativeSticky];

    /// The name that members agree on.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Range => "range",
            Assignor::RoundRobin => "roundrobin",
            Assignor::Sticky => "sticky",
            Assignor::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The assignor of a name.
    pub(super) fn by_name(name: &str) -> Option<Assignor> {
        Assignor::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// The assignor of a Java class, by its full or last name, or of its own name.
    pub(super) fn by_class(class: &str) -> Option<Assignor> {
        let class_name = |assignor: &Assignor| match assignor {
            Assignor::Range => "RangeAssignor",
            Assignor::RoundRobin => "RoundRobinAssignor",
            Assignor::Sticky => "StickyAssignor",
            Assignor::CooperativeSticky => "CooperativeStickyAssignor",
        };
        let last = class.rsplit('.').next().unwrap_or(class);
        Assignor::ALL.into_iter().find(|assignor| class_name(assignor) == last || assignor.name() == class)
    }

    /// Gives every partition of the topics to one of the members that want it.
    pub(super) fn assign(self, members: &[Member], topics: &Topics) -> Assignments {
        match self {
            Assignor::Range => range(members, topics),
            Assignor::RoundRobin => round_robin(members, topics),
            Assignor::Sticky => sticky(members, topics),
            Assignor::CooperativeSticky => without_transfers(members, sticky(members, topics)),
        }
    }
}

fn nobody_has_anything(members: &[Member]) -> Assignments {
    members.iter().map(|member| (member.id.clone(), Vec::new())).collect()
}

fn sorted(members: &[Member]) -> Vec<&Member> {
    let mut members: Vec<&Member> = members.iter().collect();
    members.sort_by_key(|member| member.rank());
    members
}

fn give(assignments: &mut Assignments, member: &Member, partition: TopicPartition) {
    assignments.entry(member.id.clone()).or_default().push(partition);
}

fn range(members: &[Member], topics: &Topics) -> Assignments {
    let mut assignments = nobody_has_anything(members);
    let members = sorted(members);
    for (topic, &count) in topics {
        let takers: Vec<&Member> = members.iter().copied().filter(|member| member.wants(topic)).collect();
        let Ok(takers_count) = i32::try_from(takers.len()) else { continue };
        if takers_count == 0 {
            continue;
        }
        let (each, more) = (count / takers_count, count % takers_count);
        let mut next = 0;
        for (index, member) in (0..).zip(takers) {
            let end = next + each + i32::from(index < more);
            (next..end).for_each(|n| give(&mut assignments, member, TopicPartition::new(topic.clone(), n)));
            next = end;
        }
    }
    assignments
}

fn round_robin(members: &[Member], topics: &Topics) -> Assignments {
    let mut assignments = nobody_has_anything(members);
    let members = sorted(members);
    let mut turn = members.iter().copied().cycle();
    for partition in all_partitions(topics) {
        let taker = turn.by_ref().take(members.len()).find(|member| member.wants(&partition.topic));
        if let Some(member) = taker {
            give(&mut assignments, member, partition);
        }
    }
    assignments
}

fn all_partitions(topics: &Topics) -> impl Iterator<Item = TopicPartition> {
    topics.iter().flat_map(|(topic, &count)| (0..count).map(|n| TopicPartition::new(topic.clone(), n)))
}

/// What each member has a right to keep: it still wants it, it still exists, and nobody claims it with a later
/// generation. Two claims of one generation cancel each other.
fn rightful_owners(members: &[Member], topics: &Topics) -> BTreeMap<TopicPartition, ByteString> {
    let mut claims: BTreeMap<&TopicPartition, (i32, Option<&Member>)> = BTreeMap::new();
    for member in members {
        for partition in &member.owned {
            let exists = topics.get(&partition.topic).is_some_and(|&count| partition.partition < count);
            if !exists || !member.wants(&partition.topic) {
                continue;
            }
            let claim = claims.entry(partition).or_insert((i32::MIN, None));
            if member.generation > claim.0 {
                *claim = (member.generation, Some(member));
            } else if member.generation == claim.0 {
                claim.1 = None;
            }
        }
    }
    claims.into_iter().filter_map(|(p, (_, owner))| Some((p.clone(), owner?.id.clone()))).collect()
}

fn sticky(members: &[Member], topics: &Topics) -> Assignments {
    let mut assignments = nobody_has_anything(members);
    let owners = rightful_owners(members, topics);
    let mut free = Vec::new();
    for partition in all_partitions(topics) {
        match owners.get(&partition) {
            Some(owner) => assignments.entry(owner.clone()).or_default().push(partition),
            None => free.push(partition),
        }
    }
    let members = sorted(members);
    for partition in free {
        let load = |member: &&&Member| assignments.get(&member.id).map_or(0, Vec::len);
        let taker = members.iter().filter(|member| member.wants(&partition.topic)).min_by_key(load);
        if let Some(member) = taker {
            give(&mut assignments, member, partition);
        }
    }
    while let Some((from, to, partition)) = worthwhile_move(&members, &assignments) {
        assignments.entry(from).or_default().retain(|held| *held != partition);
        assignments.entry(to).or_default().push(partition);
    }
    assignments.values_mut().for_each(|held| held.sort());
    assignments
}

/// A partition that should go from a member to one that has at least two less. Every such move makes the sum of
/// squares smaller, so the moves come to an end.
fn worthwhile_move(
    members: &[&Member],
    assignments: &Assignments,
) -> Option<(ByteString, ByteString, TopicPartition)> {
    let load = |member: &Member| assignments.get(&member.id).map_or(0, Vec::len);
    let mut by_load: Vec<&Member> = members.to_vec();
    by_load.sort_by_key(|member| Reverse(load(member)));
    for from in &by_load {
        for to in by_load.iter().rev().take_while(|to| load(to) + 2 <= load(from)) {
            // The last one: the lower numbers stay where they are, which reads well.
            let held = assignments.get(&from.id)?;
            if let Some(partition) = held.iter().rev().find(|partition| to.wants(&partition.topic)) {
                return Some((from.id.clone(), to.id.clone(), partition.clone()));
            }
        }
    }
    None
}

/// Leaves out what another member still holds; it gets that in the next rebalance, after the other has let it go.
fn without_transfers(members: &[Member], mut assignments: Assignments) -> Assignments {
    let mut released = BTreeSet::new();
    for member in members {
        let keeps =
            |partition: &&TopicPartition| !assignments.get(&member.id).is_some_and(|a| a.contains(partition));
        released.extend(member.owned.iter().filter(keeps).cloned());
    }
    for member in members {
        if let Some(assigned) = assignments.get_mut(&member.id) {
            assigned.retain(|partition| member.owned.contains(partition) || !released.contains(partition));
        }
    }
    assignments
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `"a: t u"` is a member that wants two topics, `"a: t | t-0 t-1"` one that has two partitions,
    /// `"a=i: t"` a static one.
    fn member(text: &str) -> Member {
        let (id, rest) = text.split_once(':').unwrap();
        let (id, instance) = id.split_once('=').map_or((id, None), |(id, instance)| (id, Some(instance)));
        let (topics, owned) = rest.split_once('|').unwrap_or((rest, ""));
        Member {
            id: id.into(),
            instance_id: instance.map(Into::into),
            topics: topics.split_whitespace().map(Into::into).collect(),
            owned: owned.split_whitespace().map(partition).collect(),
            generation: 1,
        }
    }

    fn partition(text: &str) -> TopicPartition {
        let (topic, number) = text.rsplit_once('-').unwrap();
        TopicPartition::new(topic, number.parse().unwrap())
    }

    #[track_caller]
    fn check(assignor: Assignor, topics: &[(&str, i32)], members: &[&str], expect: &[&str]) {
        let members: Vec<Member> = members.iter().copied().map(member).collect();
        let topics = topics.iter().map(|(topic, count)| (ByteString::from(*topic), *count)).collect();
        let assignments = assignor.assign(&members, &topics);
        let line = |(id, held): (&ByteString, &Vec<TopicPartition>)| {
            format!("{id}: {}", held.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        let lines: Vec<String> = assignments.iter().map(line).collect();
        assert_eq!(lines, expect);
    }

    #[test]
    fn range_gives_each_topic_in_ranges() {
        use Assignor::Range;
        check(Range, &[("t", 3)], &["a: t"], &["a: t-0 t-1 t-2"]);
        check(Range, &[("t", 3)], &["b: t", "a: t"], &["a: t-0 t-1", "b: t-2"]);
        check(Range, &[("t", 3), ("u", 3)], &["a: t u", "b: t u"], &["a: t-0 t-1 u-0 u-1", "b: t-2 u-2"]);
        check(Range, &[("t", 1)], &["a: t", "b: t"], &["a: t-0", "b: "]);
        check(Range, &[("t", 2), ("u", 2)], &["a: t", "b: t u"], &["a: t-0", "b: t-1 u-0 u-1"]);
        check(Range, &[], &["a: t"], &["a: "]);
    }

    #[test]
    fn range_ranks_static_members_first_by_their_names() {
        check(Assignor::Range, &[("t", 3)], &["a: t", "z=2: t", "y=3: t"], &["a: t-2", "y: t-1", "z: t-0"]);
    }

    #[test]
    fn round_robin_takes_turns() {
        use Assignor::RoundRobin;
        check(
            RoundRobin,
            &[("t", 3), ("u", 3)],
            &["a: t u", "b: t u"],
            &["a: t-0 t-2 u-1", "b: t-1 u-0 u-2"],
        );
        check(
            RoundRobin,
            &[("t", 1), ("u", 2), ("v", 3)],
            &["a: t", "b: t u", "c: t u v"],
            &["a: t-0", "b: u-0", "c: u-1 v-0 v-1 v-2"],
        );
    }

    #[test]
    fn sticky_keeps_what_it_can_and_balances() {
        use Assignor::Sticky;
        check(Sticky, &[("t", 4)], &["a: t", "b: t"], &["a: t-0 t-2", "b: t-1 t-3"]);
        check(Sticky, &[("t", 4)], &["a: t | t-0 t-3", "b: t | t-1 t-2"], &["a: t-0 t-3", "b: t-1 t-2"]);
        check(Sticky, &[("t", 4)], &["a: t | t-0 t-1 t-2 t-3", "b: t"], &["a: t-0 t-1", "b: t-2 t-3"]);
        check(Sticky, &[("t", 4)], &["a: t | t-1 t-2", "b: t | t-1"], &["a: t-1 t-2", "b: t-0 t-3"]);
        check(Sticky, &[("t", 2), ("u", 2)], &["a: t | t-0 u-0", "b: t u"], &["a: t-0 t-1", "b: u-0 u-1"]);
    }

    #[test]
    fn cooperative_gives_nobody_what_another_still_holds() {
        use Assignor::CooperativeSticky;
        let topics = [("t", 4)];
        check(CooperativeSticky, &topics, &["a: t | t-0 t-1 t-2 t-3", "b: t"], &["a: t-0 t-1", "b: "]);
        check(CooperativeSticky, &topics, &["a: t | t-0 t-1", "b: t"], &["a: t-0 t-1", "b: t-2 t-3"]);
    }

    #[test]
    fn classes_and_names_are_found() {
        let check = |class: &str, expect: Option<Assignor>| assert_eq!(Assignor::by_class(class), expect);
        check("org.apache.kafka.clients.consumer.RangeAssignor", Some(Assignor::Range));
        check("cooperative-sticky", Some(Assignor::CooperativeSticky));
        check("com.example.Mine", None);
    }
}
