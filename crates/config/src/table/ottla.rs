//! Keys of our own; each begins with `ottla.` so that it can never be taken for one of Kafka's. They are
//! internal in Kafka's sense: DescribeConfigs shows them where they are set, so that an untouched broker answers
//! as Kafka does.

use crate::table::keys;
use crate::table::row::{HONOURED, at_least, one_of};

keys! { pub(super) KEYS {
    "ottla.flush.acks.all": STRING = "auto",
        one_of(&["auto", "always", "never"]), HIGH internal, CLUSTER_WIDE, HONOURED,
        "When an acks=all write is fsynced before it is acknowledged: auto (where it has one replica), always, never.";
    "ottla.disk.free.min.bytes": LONG = "67108864", at_least(0), MEDIUM internal, READ_ONLY, HONOURED,
        "Producers are refused while the disk of their partition has fewer free bytes than this; 0 means never.";
    "ottla.disk.stall.max.ms": LONG = "30000", at_least(0), MEDIUM internal, READ_ONLY, HONOURED,
        "A log directory whose disk has not answered for so long is taken offline, where others go on; 0 means never.";
} }
