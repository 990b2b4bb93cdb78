//! Changes of configuration, one by one against what Kafka 4.3.1 answered (`alter.tsv`; its head says how to
//! read it).

use std::collections::BTreeMap;

use ottla_config::alter::{
    AlterConfig, AlterContext, AlterOp, ConfigChange, ResourceKind, check_broker_change, check_broker_name,
    check_operations, create_topic_configs, incremental_alter, legacy_alter, usable_broker_configs,
};
use ottla_config::{BrokerConfig, ConfigError, ConfigMap};

const NODE_ID: i32 = 1;

/// A cluster of one node: what is stored per resource.
struct Cluster {
    statics: ConfigMap,
    stored: BTreeMap<(ResourceKind, String), ConfigMap>,
}

impl Cluster {
    fn stored(&self, kind: ResourceKind, name: &str) -> ConfigMap {
        self.stored.get(&(kind, name.to_owned())).cloned().unwrap_or_default()
    }

    fn broker(&self) -> BrokerConfig {
        let layer = |name: &str| self.stored(ResourceKind::Broker, name);
        let (default, _) = usable_broker_configs(&layer(""), false);
        let (own, _) = usable_broker_configs(&layer("1"), true);
        let broker = BrokerConfig::new(self.statics.clone()).expect("Kafka started with it");
        broker.with_dynamic(default, own).expect("Kafka accepted it")
    }

    /// The way of a request: the broker's checks, the controller's, and the records applied.
    fn alter(
        &mut self,
        kind: ResourceKind,
        name: &str,
        ops: &[AlterConfig],
        legacy: bool,
    ) -> Result<(), ConfigError> {
        check_operations(
            ops.iter().map(|op| (op.name.as_str(), op.op == AlterOp::Delete, op.value.as_deref())),
        )?;
        let stored = self.stored(kind, name);
        let broker = self.broker();
        if kind == ResourceKind::Broker {
            check_broker_name(name, NODE_ID)?;
            let base = if legacy { ConfigMap::new() } else { stored.clone() };
            check_broker_change(&broker, !name.is_empty(), &base, ops)?;
        }
        let context = context(&broker);
        let changes = if legacy {
            let new: Vec<(String, Option<String>)> =
                ops.iter().map(|op| (op.name.clone(), op.value.clone())).collect();
            legacy_alter(kind, name, &stored, &new, context)?
        } else {
            incremental_alter(kind, name, &stored, ops, context)?
        };
        self.apply(kind, name, changes);
        Ok(())
    }

    fn create(&mut self, topic: &str, ops: &[AlterConfig]) -> Result<(), ConfigError> {
        let requested: Vec<(String, Option<String>)> =
            ops.iter().map(|op| (op.name.clone(), op.value.clone())).collect();
        let changes = create_topic_configs(topic, &requested, context(&self.broker()))?;
        self.apply(ResourceKind::Topic, topic, changes);
        Ok(())
    }

    fn apply(&mut self, kind: ResourceKind, name: &str, changes: Vec<ConfigChange>) {
        let stored = self.stored.entry((kind, name.to_owned())).or_default();
        for change in changes {
            match change.value {
                Some(value) => stored.insert(change.name, value),
                None => stored.remove(&change.name),
            };
        }
    }
}

fn context(broker: &BrokerConfig) -> AlterContext<'_> {
    AlterContext { broker, elr_enabled: true, cordoned_log_dirs_supported: true, forwarded: true }
}

fn kind_of(word: &str) -> ResourceKind {
    match word {
        "topic" => ResourceKind::Topic,
        "broker" => ResourceKind::Broker,
        "group" => ResourceKind::Group,
        "metrics" => ResourceKind::ClientMetrics,
        other => panic!("no such kind: {other}"),
    }
}

fn op_of(word: &str) -> AlterConfig {
    let (op, property) = match word.split_once(':') {
        Some(("set", rest)) => (AlterOp::Set, rest),
        Some(("del", rest)) => (AlterOp::Delete, rest),
        Some(("app", rest)) => (AlterOp::Append, rest),
        Some(("sub", rest)) => (AlterOp::Subtract, rest),
        _ => (AlterOp::Set, word),
    };
    let (name, value) = match property.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (property, None),
    };
    AlterConfig { name: name.to_owned(), op, value }
}

#[test]
fn answers_are_kafkas_one_by_one() {
    let mut cluster = Cluster { statics: ConfigMap::new(), stored: BTreeMap::new() };
    // A new cluster of 4.3 has eligible leader replicas, and with them this value for all brokers.
    let min_isr = ConfigMap::from([("min.insync.replicas".to_owned(), "1".to_owned())]);
    cluster.stored.insert((ResourceKind::Broker, String::new()), min_isr);
    let mut differences = Vec::new();
    for line in include_str!("alter.tsv").lines().filter(|line| !line.starts_with('#')) {
        let Some((change, expected)) = line.split_once("\t->\t") else {
            let (name, value) =
                line.trim_start_matches("static\t").split_once('=').expect("a static property");
            cluster.statics.insert(name.to_owned(), value.to_owned());
            continue;
        };
        let words: Vec<&str> = change.split('\t').collect();
        let ops =
            |from: usize| -> Vec<AlterConfig> { words[from..].iter().map(|word| op_of(word)).collect() };
        let name_of = |word: &str| if word == "-" { String::new() } else { word.to_owned() };
        let result = match words[0] {
            "create" => cluster.create(words[1], &ops(2)),
            verb => cluster.alter(kind_of(words[1]), &name_of(words[2]), &ops(3), verb == "legacy"),
        };
        let ours = match result {
            Ok(()) => "0\t\\N".to_owned(),
            Err(error) => format!("{}\t{}", error.code as i16, error.message),
        };
        if ours != expected {
            differences.push(format!("{change}\n  Kafka: {expected}\n  ours:  {ours}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
