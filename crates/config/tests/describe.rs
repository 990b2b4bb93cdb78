//! DescribeConfigs, line by line against what Kafka 4.3.1 answered (`describe.tsv`; its head says how to read it).

use std::collections::BTreeMap;

use ottla_config::describe::{
    ConfigEntry, describe_broker, describe_client_metrics, describe_cluster, describe_created_topic,
    describe_group, describe_topic,
};
use ottla_config::{BrokerConfig, ConfigMap};

/// What was configured so far, by kind.
#[derive(Default)]
struct Configured(BTreeMap<String, ConfigMap>);

impl Configured {
    fn set(&mut self, kind: &str, property: &str) {
        let (name, value) = property.split_once('=').expect("a property has a value");
        self.0.entry(kind.to_owned()).or_default().insert(name.to_owned(), value.to_owned());
    }

    fn get(&self, kind: &str) -> ConfigMap {
        self.0.get(kind).cloned().unwrap_or_default()
    }

    fn broker(&self) -> BrokerConfig {
        let broker = BrokerConfig::new(self.get("static")).expect("Kafka started with it");
        broker.with_dynamic(self.get("default"), self.get("broker")).expect("Kafka accepted it")
    }

    fn describe(&self, what: &str) -> Vec<ConfigEntry> {
        let broker = self.broker();
        match what {
            "topic-without" => describe_topic(&broker, &ConfigMap::new()).expect("readable"),
            "topic" => describe_topic(&broker, &self.get("topic")).expect("readable"),
            "topic-created" => describe_created_topic(&broker, &self.get("topic-created")),
            "broker" => describe_broker(&broker),
            "cluster" => describe_cluster(&broker),
            "group" => describe_group(&broker, &self.get("group")).expect("readable"),
            "client-metrics" => describe_client_metrics(&self.get("client-metrics")).expect("readable"),
            other => panic!("no such thing to describe: {other}"),
        }
    }
}

fn line(what: &str, entry: &ConfigEntry) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "\\N".to_owned());
    let source = entry.source as i8;
    let read_only = if entry.read_only { "ro" } else { "rw" };
    let sensitive = if entry.sensitive { "sensitive" } else { "plain" };
    let (name, value) = (&entry.name, text(&entry.value));
    if what == "topic-created" {
        return format!("{name}\t{value}\t{source}\t{read_only}\t{sensitive}");
    }
    let synonym = |s: &ottla_config::describe::ConfigSynonym| {
        format!("{}={}@{}", s.name, text(&s.value), s.source as i8)
    };
    let synonyms: Vec<String> = entry.synonyms.iter().map(synonym).collect();
    let config_type = entry.config_type.id();
    format!("{name}\t{value}\t{source}\t{config_type}\t{read_only}\t{sensitive}\t{}", synonyms.join(" ; "))
}

#[test]
fn answers_are_kafkas_line_by_line() {
    let mut configured = Configured::default();
    let mut expected: Vec<(String, Vec<String>, Vec<ConfigEntry>)> = Vec::new();
    for text in include_str!("describe.tsv").lines().filter(|line| !line.starts_with('#')) {
        match text.split('\t').collect::<Vec<_>>()[..] {
            ["set", kind, property] => configured.set(kind, property),
            ["describe", what] => expected.push((what.to_owned(), Vec::new(), configured.describe(what))),
            _ => expected.last_mut().expect("lines follow a describe").1.push(text.to_owned()),
        }
    }
    for (what, mut lines, entries) in expected {
        let mut ours: Vec<String> = entries.iter().map(|entry| line(&what, entry)).collect();
        if what == "broker" {
            // The file keeps only the telling ones of some three hundred keys, in their order.
            let names: Vec<&str> = lines.iter().map(|line| line.split('\t').next().unwrap_or(line)).collect();
            ours.retain(|line| names.contains(&line.split('\t').next().unwrap_or(line)));
        }
        if what == "cluster" {
            // Scala's map has another order among names of one bucket.
            lines.sort();
            ours.sort();
        }
        assert_eq!(ours.join("\n"), lines.join("\n"), "{what}");
    }
}
