//! How often the broker asks for memory on its hot path, counted in a broker that runs in this process: never for a
//! record, and a bounded number of times for a request.
//!
//! The client's side of the socket asks for none while counting goes on: its frames are encoded before, and answers go
//! into a buffer that is there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod frames;

use std::io::{Read, Write};
use std::net::TcpStream;

use frames::{batch, create_topic, fetch, produce};
use ottla_broker::node::Node;
use ottla_config::{Inputs, load};
use ottla_protocol::records::Compression;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// Requests that are counted together; the least of several such rounds counts, since jobs of the broker may run
/// beside any of them.
const REQUESTS: usize = 50;
const ROUNDS: usize = 3;

/// Records of the small and of the large batch.
const FEW: usize = 1;
const MANY: usize = 1_000;

/// What a produce and a fetch request of one partition may cost: somewhat more than they do.
const BOUNDS: &[(Compression, usize, usize)] = &[
    (Compression::None, 16, 32),
    (Compression::Gzip, 20, 32),
    (Compression::Snappy, 20, 32),
    (Compression::Lz4, 20, 32),
    (Compression::Zstd, 20, 32),
];

#[test]
fn a_record_costs_no_allocation_and_a_request_few() {
    let directory = tempfile::tempdir().unwrap();
    let mut client = Client::connect(&start(directory.path()));
    for (compression, produce_most, fetch_most) in BOUNDS {
        let topics = [FEW, MANY].map(|records| (format!("{}-{records}", compression.name()), records));
        let [(few_produce, few_fetch), (many_produce, many_fetch)] = topics.map(|(topic, records)| {
            client.ask(&create_topic(&topic, 1));
            let produce = client.count(&produce(&topic, 0, &batch(*compression, records)));
            (produce, client.count(&fetch(&topic, 0)))
        });
        println!(
            "{compression}: allocations of a produce request with {FEW} record {few_produce}, with {MANY} \
             {many_produce}; of a fetch request for as many {few_fetch}, {many_fetch}"
        );
        assert!(few_produce <= *produce_most, "{compression}: {few_produce} allocations to produce");
        assert!(few_fetch <= *fetch_most, "{compression}: {few_fetch} allocations to fetch");
        // Less than one in a hundred records, so none in a record.
        let grown = many_produce.saturating_sub(few_produce).max(many_fetch.saturating_sub(few_fetch));
        assert!(grown <= MANY / 100, "{compression}: {grown} allocations more for {MANY} records");
    }
}

/// Starts a broker on a thread of its own, which lives as long as the test; gives its address.
fn start(directory: &std::path::Path) -> String {
    let overrides = [
        String::from("listeners=PLAINTEXT://127.0.0.1:0"),
        format!("log.dirs={}", directory.display()),
        String::from("ottla.flush.acks.all=never"),
    ];
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let inputs =
            Inputs { file: None, environment: Vec::new(), overrides: overrides.into(), in_container: false };
        let loaded = load(&inputs).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut node, ready) = Node::start(loaded).await.unwrap();
            tell.send(ready.advertised[0].clone()).unwrap();
            node.run().await
        })
    });
    told.recv().unwrap()
}

struct Client {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Client {
    fn connect(address: &str) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, answer: vec![0; 4 << 20] }
    }

    /// Sends a request, gives the bytes of the answer.
    fn ask(&mut self, frame: &[u8]) -> &[u8] {
        self.stream.write_all(frame).unwrap();
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let answer = &mut self.answer[..u32::from_be_bytes(length) as usize];
        self.stream.read_exact(answer).unwrap();
        answer
    }

    /// Sends the request again and again; gives the allocations that one costs, rounded down.
    fn count(&mut self, frame: &[u8]) -> usize {
        let round = |client: &mut Client| {
            let before = ALLOCATOR.stats();
            for _ in 0..REQUESTS {
                client.ask(frame);
            }
            let counted = ALLOCATOR.stats() - before;
            (counted.allocations + counted.reallocations) / REQUESTS
        };
        // The first makes files, buffers and tables.
        round(self);
        (0..ROUNDS).map(|_| round(self)).min().unwrap()
    }
}
