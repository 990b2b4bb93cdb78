//! The command lines, in the order in which they are run: a later one sees what an earlier one did.

/// One command line.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) tool: &'static str,
    /// `BOOTSTRAP` and `OFFSETS` are put in: the broker's address and the path of a file for kafka-delete-records.
    pub(super) args: &'static [&'static str],
    pub(super) stdin: &'static str,
    /// The order of output lines means nothing.
    pub(super) unordered: bool,
    /// Run again until standard output has this, for at most some seconds.
    pub(super) until: &'static str,
}

macro_rules! lines {
    ($($name:ident: $tool:literal $($arg:literal)* $(; $field:ident = $value:expr)*;;)*) => {
        &[$(Line {
            name: stringify!($name),
            tool: $tool,
            args: &[$($arg),*],
            $($field: $value,)*
            ..Line::NONE
        }),*]
    };
}

impl Line {
    const NONE: Line = Line { name: "", tool: "", args: &[], stdin: "", unordered: false, until: "" };
}

pub(super) const COMMANDS: &[Line] = lines! {
    topics_create: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--create" "--topic" "my-topic" "--partitions" "3" "--replication-factor" "1";;
    topics_create_again: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--create" "--topic" "my-topic";;
    topics_create_if_not_exists: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--create" "--if-not-exists" "--topic" "my-topic";;
    topics_create_with_configs: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--create" "--topic" "single" "--config" "retention.ms=360000000" "--config" "cleanup.policy=delete";;
    topics_create_underscore: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--create" "--topic" "with_underscore";;
    topics_create_two_replicas: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--create" "--topic" "doubled" "--replication-factor" "2";;
    topics_create_bad_name: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--create" "--topic" "bad/name";;
    topics_create_bad_config: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--create" "--topic" "odd" "--config" "no.such=1";;
    topics_create_assigned: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--create" "--topic" "assigned" "--replica-assignment" "1,1";;
    topics_list: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--list"; until = "assigned";;
    topics_describe: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--describe" "--topic" "my-topic";;
    topics_describe_all: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--describe"; unordered = true;;
    topics_describe_missing: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--describe" "--topic" "missing";;
    topics_describe_missing_if_exists: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--describe" "--topic" "missing" "--if-exists";;
    topics_describe_overrides: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--describe" "--topics-with-overrides"; unordered = true;;
    topics_describe_unavailable: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--describe" "--unavailable-partitions";;
    topics_describe_under_replicated: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--describe" "--under-replicated-partitions";;
    topics_alter_partitions: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--alter" "--topic" "my-topic" "--partitions" "5";;
    topics_alter_fewer_partitions: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--alter" "--topic" "my-topic" "--partitions" "2";;
    topics_without_action: "kafka-topics" "--bootstrap-server" "BOOTSTRAP";;
    topics_unknown_option: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--list" "--no-such-option";;
    topics_version: "kafka-topics" "--version";;
    topics_help: "kafka-topics" "--help";;
    produce: "kafka-console-producer" "--bootstrap-server" "BOOTSTRAP" "--topic" "single"; stdin = "first\nsecond\nthird\n";;
    produce_keys: "kafka-console-producer" "--bootstrap-server" "BOOTSTRAP" "--topic" "single" "--reader-property" "parse.key=true" "--reader-property" "key.separator=:"; stdin = "k1:v1\nk2:v2\n";;
    produce_compressed: "kafka-console-producer" "--bootstrap-server" "BOOTSTRAP" "--topic" "my-topic" "--compression-codec" "gzip"; stdin = "a\nb\nc\nd\n";;
    consume: "kafka-console-consumer" "--bootstrap-server" "BOOTSTRAP" "--topic" "single" "--from-beginning" "--max-messages" "5" "--timeout-ms" "20000";;
    consume_formatted: "kafka-console-consumer" "--bootstrap-server" "BOOTSTRAP" "--topic" "single" "--from-beginning" "--max-messages" "5" "--timeout-ms" "20000" "--formatter-property" "print.key=true" "--formatter-property" "print.offset=true" "--formatter-property" "print.partition=true" "--formatter-property" "print.timestamp=true" "--formatter-property" "print.headers=true" "--formatter-property" "key.separator=|";;
    consume_from_offset: "kafka-console-consumer" "--bootstrap-server" "BOOTSTRAP" "--topic" "single" "--partition" "0" "--offset" "3" "--max-messages" "2" "--timeout-ms" "20000";;
    consume_many_partitions: "kafka-console-consumer" "--bootstrap-server" "BOOTSTRAP" "--topic" "my-topic" "--from-beginning" "--max-messages" "4" "--timeout-ms" "20000"; unordered = true;;
    consume_as_group: "kafka-console-consumer" "--bootstrap-server" "BOOTSTRAP" "--topic" "single" "--group" "readers" "--from-beginning" "--max-messages" "4" "--timeout-ms" "20000";;
    offsets_latest: "kafka-get-offsets" "--bootstrap-server" "BOOTSTRAP" "--topic" "single";;
    offsets_earliest: "kafka-get-offsets" "--bootstrap-server" "BOOTSTRAP" "--topic" "my-topic" "--time" "earliest";;
    offsets_of_partitions: "kafka-get-offsets" "--bootstrap-server" "BOOTSTRAP" "--topic-partitions" "my-topic:1-3,single:0" "--time" "-2";;
    offsets_of_missing: "kafka-get-offsets" "--bootstrap-server" "BOOTSTRAP" "--topic" "missing";;
    groups_list: "kafka-consumer-groups" "--bootstrap-server" "BOOTSTRAP" "--list"; unordered = true;;
    groups_list_states: "kafka-consumer-groups" "--bootstrap-server" "BOOTSTRAP" "--list" "--state"; unordered = true;;
    groups_describe: "kafka-consumer-groups" "--bootstrap-server" "BOOTSTRAP" "--describe" "--group" "readers";;
    groups_describe_state: "kafka-consumer-groups" "--bootstrap-server" "BOOTSTRAP" "--describe" "--group" "readers" "--state";;
    groups_describe_members: "kafka-consumer-groups" "--bootstrap-server" "BOOTSTRAP" "--describe" "--group" "readers" "--members";;
    groups_describe_missing: "kafka-consumer-groups" "--bootstrap-server" "BOOTSTRAP" "--describe" "--group" "missing";;
    groups_reset_dry_run: "kafka-consumer-groups" "--bootstrap-server" "BOOTSTRAP" "--reset-offsets" "--group" "readers" "--topic" "single" "--to-earliest" "--dry-run";;
    groups_reset_by_shift: "kafka-consumer-groups" "--bootstrap-server" "BOOTSTRAP" "--reset-offsets" "--group" "readers" "--topic" "single" "--shift-by" "-2" "--execute";;
    groups_reset_export: "kafka-consumer-groups" "--bootstrap-server" "BOOTSTRAP" "--reset-offsets" "--group" "readers" "--all-topics" "--to-latest" "--dry-run" "--export";;
    groups_delete_offsets: "kafka-consumer-groups" "--bootstrap-server" "BOOTSTRAP" "--delete-offsets" "--group" "readers" "--topic" "single";;
    groups_delete: "kafka-consumer-groups" "--bootstrap-server" "BOOTSTRAP" "--delete" "--group" "readers";;
    groups_delete_missing: "kafka-consumer-groups" "--bootstrap-server" "BOOTSTRAP" "--delete" "--group" "missing";;
    configs_alter_topic: "kafka-configs" "--bootstrap-server" "BOOTSTRAP" "--alter" "--entity-type" "topics" "--entity-name" "my-topic" "--add-config" "retention.ms=1000000,max.message.bytes=64000";;
    configs_describe_topic: "kafka-configs" "--bootstrap-server" "BOOTSTRAP" "--describe" "--entity-type" "topics" "--entity-name" "my-topic"; until = "64000";;
    configs_describe_topic_all: "kafka-configs" "--bootstrap-server" "BOOTSTRAP" "--describe" "--topic" "single" "--all";;
    configs_delete_topic_config: "kafka-configs" "--bootstrap-server" "BOOTSTRAP" "--alter" "--entity-type" "topics" "--entity-name" "my-topic" "--delete-config" "max.message.bytes";;
    configs_bad_value: "kafka-configs" "--bootstrap-server" "BOOTSTRAP" "--alter" "--entity-type" "topics" "--entity-name" "my-topic" "--add-config" "retention.ms=soon";;
    configs_alter_broker_defaults: "kafka-configs" "--bootstrap-server" "BOOTSTRAP" "--alter" "--entity-type" "brokers" "--entity-default" "--add-config" "log.cleaner.backoff.ms=20000";;
    configs_describe_broker_defaults: "kafka-configs" "--bootstrap-server" "BOOTSTRAP" "--describe" "--entity-type" "brokers" "--entity-default"; until = "20000";;
    configs_describe_broker: "kafka-configs" "--bootstrap-server" "BOOTSTRAP" "--describe" "--broker" "1";;
    delete_records: "kafka-delete-records" "--bootstrap-server" "BOOTSTRAP" "--offset-json-file" "OFFSETS";;
    offsets_after_delete_records: "kafka-get-offsets" "--bootstrap-server" "BOOTSTRAP" "--topic" "single" "--time" "-2";;
    api_versions: "kafka-broker-api-versions" "--bootstrap-server" "BOOTSTRAP";;
    cluster_id: "kafka-cluster" "cluster-id" "--bootstrap-server" "BOOTSTRAP";;
    cluster_endpoints: "kafka-cluster" "list-endpoints" "--bootstrap-server" "BOOTSTRAP";;
    quorum_status: "kafka-metadata-quorum" "--bootstrap-server" "BOOTSTRAP" "describe" "--status";;
    quorum_replication: "kafka-metadata-quorum" "--bootstrap-server" "BOOTSTRAP" "describe" "--replication";;
    random_uuid: "kafka-storage" "random-uuid";;
    perf_produce: "kafka-producer-perf-test" "--bootstrap-server" "BOOTSTRAP" "--topic" "with_underscore" "--num-records" "50" "--record-size" "100" "--throughput" "-1";;
    perf_produce_old_names: "kafka-producer-perf-test" "--topic" "with_underscore" "--num-records" "10" "--payload-monotonic" "--throughput" "1000.5" "--bootstrap-server" "BOOTSTRAP" "--producer-props" "acks=1" "linger.ms=0";;
    perf_produce_warm_up: "kafka-producer-perf-test" "--bootstrap-server" "BOOTSTRAP" "--topic" "with_underscore" "--num-records" "20" "--record-size" "10" "--throughput" "-1" "--warmup-records" "10" "--command-property" "compression.type=lz4" "acks=all";;
    perf_produce_payload_file: "kafka-producer-perf-test" "--bootstrap-server" "BOOTSTRAP" "--topic" "with_underscore" "--num-records" "5" "--payload-file" "OFFSETS" "--throughput" "-1";;
    perf_produce_payload_file_missing: "kafka-producer-perf-test" "--bootstrap-server" "BOOTSTRAP" "--topic" "with_underscore" "--num-records" "5" "--payload-file" "/nonexistent" "--throughput" "-1";;
    perf_produce_zero_records: "kafka-producer-perf-test" "--bootstrap-server" "BOOTSTRAP" "--topic" "with_underscore" "--num-records" "0" "--record-size" "10" "--throughput" "-1";;
    perf_produce_without_payload: "kafka-producer-perf-test" "--bootstrap-server" "BOOTSTRAP" "--topic" "with_underscore" "--num-records" "5" "--throughput" "-1";;
    perf_produce_without_server: "kafka-producer-perf-test" "--topic" "with_underscore" "--num-records" "5" "--record-size" "10" "--throughput" "-1";;
    perf_produce_bad_setting: "kafka-producer-perf-test" "--bootstrap-server" "BOOTSTRAP" "--topic" "with_underscore" "--num-records" "5" "--record-size" "10" "--throughput" "-1" "--command-property" "acks=7";;
    perf_consume: "kafka-consumer-perf-test" "--bootstrap-server" "BOOTSTRAP" "--topic" "with_underscore" "--num-records" "85" "--timeout" "20000";;
    perf_consume_old_names: "kafka-consumer-perf-test" "--bootstrap-server" "BOOTSTRAP" "--include" "with_.*" "--messages" "85" "--timeout" "20000" "--hide-header" "--date-format" "'then'" "--group" "perf" "--fetch-size" "1000000";;
    perf_consume_too_few: "kafka-consumer-perf-test" "--bootstrap-server" "BOOTSTRAP" "--topic" "with_underscore" "--num-records" "86" "--timeout" "3000" "--command-property" "max.poll.records=10";;
    perf_consume_detailed: "kafka-consumer-perf-test" "--bootstrap-server" "BOOTSTRAP" "--topic" "with_underscore" "--num-records" "85" "--timeout" "20000" "--show-detailed-stats";;
    perf_consume_bad_interval: "kafka-consumer-perf-test" "--bootstrap-server" "BOOTSTRAP" "--topic" "with_underscore" "--num-records" "85" "--reporting-interval" "0";;
    perf_consume_without_count: "kafka-consumer-perf-test" "--bootstrap-server" "BOOTSTRAP" "--topic" "with_underscore";;
    latency: "kafka-e2e-latency" "--bootstrap-server" "BOOTSTRAP" "--topic" "with_underscore" "--num-records" "5" "--producer-acks" "all" "--record-size" "10" "--record-key-size" "3" "--num-headers" "2" "--record-header-key-size" "1" "--record-header-size" "-1";;
    latency_of_new_topic: "kafka-e2e-latency" "BOOTSTRAP" "latency" "3" "1" "10";;
    latency_bad_acks: "kafka-e2e-latency" "BOOTSTRAP" "latency" "3" "0" "10";;
    latency_two_words: "kafka-e2e-latency" "BOOTSTRAP" "latency";;
    latency_without_count: "kafka-e2e-latency" "--bootstrap-server" "BOOTSTRAP" "--topic" "latency" "--producer-acks" "1" "--record-size" "10";;
    topics_delete: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--delete" "--topic" "single";;
    topics_delete_missing: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--delete" "--topic" "missing";;
    topics_list_without_internal: "kafka-topics" "--bootstrap-server" "BOOTSTRAP" "--list" "--exclude-internal";;
};
