//! What happens to a broker besides load: it starts, idles, is killed, gets many partitions or many connections. Each
//! occasion starts brokers of its own and gives figures, which are judged as they are or beside Kafka's.

mod cold;
mod connections;
mod growth;
mod life;

use std::path::Path;

use anyhow::Result;
use ottla_conformance::environment::Environment;
use ottla_conformance::jvm::Runner;
use serde::{Deserialize, Serialize};

use crate::participant::Who;

/// What an occasion needs.
#[derive(Debug)]
pub struct Stage<'e, 'r> {
    /// The machine.
    pub environment: &'e Environment,
    /// Formats Kafka's directories.
    pub runner: &'r mut Runner<'e>,
    /// An empty directory.
    pub directory: &'r Path,
    /// Whether a look is enough.
    pub quick: bool,
}

/// One number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figure {
    /// The occasion's name.
    pub occasion: String,
    /// What it is.
    pub what: String,
    /// Of which broker.
    pub who: Who,
    /// Counted from 0.
    pub round: usize,
    /// The number.
    pub value: f64,
    /// What it counts.
    pub unit: String,
}

/// Numbers of one broker: what each is, what it counts, and how much.
pub type Values = Vec<(&'static str, &'static str, f64)>;

/// What a figure must be.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// At most this.
    AtMost(f64),
    /// At most so much of Kafka's.
    OfKafka(f64),
}

/// One occasion.
#[derive(Clone, Copy, Debug)]
pub struct Occasion {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Whether it is short enough for a look.
    pub quick: bool,
    /// Who takes part.
    pub players: &'static [Who],
    /// Gives what, unit and value of each figure.
    pub run: fn(&mut Stage<'_, '_>, Who) -> Result<Values>,
    /// What figures must be.
    pub limits: &'static [(&'static str, Limit)],
}

const BOTH: &[Who] = &[Who::OttlaDurable, Who::Kafka];

/// All occasions, in the order of a report.
pub const OCCASIONS: &[Occasion] = &[
    Occasion {
        name: "start",
        what: "start to the first Metadata answer; ten seconds of idleness",
        quick: true,
        players: BOTH,
        run: life::start,
        limits: &[
            ("start, new directory", Limit::AtMost(30.0)),
            ("start, existing directory", Limit::AtMost(30.0)),
            ("CPU of a start", Limit::AtMost(0.02)),
            ("resident, empty", Limit::AtMost(15.0)),
            ("idle CPU, empty", Limit::AtMost(0.05)),
        ],
    },
    Occasion {
        name: "list",
        what: "our `kafka-topics --list` with 1,000 topics",
        quick: true,
        players: &[Who::OttlaDurable],
        run: life::list,
        limits: &[("list 1,000 topics", Limit::AtMost(20.0)), ("resident of the tool", Limit::AtMost(15.0))],
    },
    Occasion {
        name: "create",
        what: "create 1,000 topics of one partition, until all are led",
        quick: true,
        players: BOTH,
        run: life::create_topics,
        limits: &[("until all are led", Limit::AtMost(200.0)), ("CPU", Limit::AtMost(0.2))],
    },
    Occasion {
        name: "10000-partitions",
        what: "10,000 partitions with two records each: create, idle, kill -9, restart",
        quick: false,
        players: BOTH,
        run: life::ten_thousand,
        limits: &[
            ("create until all are led", Limit::AtMost(1000.0)),
            ("CPU to create", Limit::AtMost(1.0)),
            ("resident", Limit::AtMost(60.0)),
            ("idle CPU", Limit::AtMost(0.2)),
            ("kill -9 until all are led", Limit::AtMost(1000.0)),
            ("CPU after kill -9", Limit::AtMost(1.0)),
            ("clean restart until all are led", Limit::AtMost(300.0)),
        ],
    },
    Occasion {
        name: "50000-partitions",
        what: "50,000 empty partitions: restart, memory",
        quick: false,
        players: &[Who::OttlaDurable],
        run: life::fifty_thousand,
        limits: &[("restart until all are led", Limit::AtMost(3000.0)), ("resident", Limit::AtMost(400.0))],
    },
    Occasion {
        name: "connections",
        what: "20,000 connections that do nothing, or as many as the limit of open files allows",
        quick: true,
        players: BOTH,
        run: connections::idle,
        limits: &[("memory of a connection", Limit::AtMost(8.0)), ("idle CPU", Limit::OfKafka(0.2))],
    },
    Occasion {
        name: "cold",
        what: "20 MB/s with a reader of the tail, beside a reader of data that only the disk has",
        quick: true,
        players: &[Who::Ottla, Who::Kafka],
        run: cold::beside_a_tail,
        limits: &[
            ("tail p99 beside it, of the tail's alone", Limit::AtMost(1.5)),
            ("CPU of the cold reader's GB", Limit::AtMost(0.6)),
        ],
    },
    Occasion {
        name: "growth",
        what: "ten minutes of full load: how much memory is added after the first two",
        quick: false,
        players: &[Who::Ottla],
        run: growth::under_load,
        limits: &[
            ("16 connections, 1 record", Limit::AtMost(8.0)),
            ("1,000 connections", Limit::AtMost(8.0)),
            ("ten readers of the tail", Limit::AtMost(8.0)),
        ],
    },
];
