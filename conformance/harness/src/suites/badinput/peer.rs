//! The broker as one sees it who sends nonsense: what came back on each connection, in words.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ottla_protocol::codec::{Message, Request, decode_all};
use ottla_protocol::{ApiKey, ErrorCode};

use crate::client::{Client, answer_body, body_of, frame_of};
use crate::fields::{self, Blanks, Fields};
use crate::raw::{Answer, Connection};

/// How long silence must last to count as an answer.
const SILENCE: Duration = Duration::from_millis(700);

/// What one thing said was answered with.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// The connection is closed, nothing comes, or what came is no answer.
    Words(String),
    /// A decoded answer.
    Answer(Fields),
}

impl fmt::Display for Heard {
    /// An answer shows what is not at its default, and all error codes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Heard::Words(words) => f.write_str(words),
            Heard::Answer(fields) => {
                let telling = |path: &str, value: &str| {
                    path.ends_with("error_code")
                        || !matches!(
                            value,
                            "0" | "-1" | "None" | "\"\"" | "[]" | "false" | "AAAAAAAAAAAAAAAAAAAAAA"
                        )
                };
                let shown: Vec<String> = fields
                    .iter()
                    .filter(|(path, value)| telling(path, value))
                    .map(|(path, value)| match value.parse() {
                        Ok(code) if path.ends_with("error_code") => {
                            format!("{path}={}", ErrorCode::from_code(code))
                        }
                        _ => format!("{path}={value}"),
                    })
                    .collect();
                f.write_str(&shown.join(" "))
            }
        }
    }
}

/// Where two brokers answered differently, one line per difference.
pub(super) fn compare(expected: &[Heard], got: &[Heard]) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, (expected, got)) in expected.iter().zip(got).enumerate() {
        match (expected, got) {
            (Heard::Answer(expected), Heard::Answer(got)) => {
                lines.extend(
                    fields::differences(expected, got).iter().map(|line| format!("answer {at}: {line}")),
                );
            }
            _ if expected != got => lines.push(format!("answer {at}: {expected} | {got}")),
            _ => {}
        }
    }
    if expected.len() != got.len() {
        lines.push(format!("{} answers | {} answers", expected.len(), got.len()));
    }
    lines
}

/// One broker and what it said so far.
pub(super) struct Peer {
    port: u16,
    blanks: Blanks,
    /// One entry per thing said.
    pub(super) heard: Vec<Heard>,
    /// The own addresses of connections that the broker closed.
    pub(super) closed: Vec<String>,
}

impl Peer {
    pub(super) fn new(port: u16) -> Peer {
        let blanks = Blanks::default()
            .paths(&[
                (r".*\bport", "port"),
                (r".*\bhost", "host"),
                (r".*topic_id", "topic id"),
                (r".*(member_id|leader)", "member"),
                (r".*cluster_id", "cluster id"),
                (r".*producer_id", "producer id"),
                (r".*session_id", "session"),
            ])
            .texts(&[(r"within \[-?\d+, -?\d+\]", "within [<time>, <time>]")]);
        Peer { port, blanks, heard: Vec::new(), closed: Vec::new() }
    }

    /// Sends bytes on a connection of their own; `finish`: and then ends the sending side.
    pub(super) fn bytes(&mut self, bytes: &[u8], finish: bool) -> Result<()> {
        let mut connection = Connection::open(self.port, SILENCE)?;
        connection.send(bytes);
        if finish {
            connection.finish_sending();
        }
        let answer = connection.answer();
        // Who ends the sending side and gets the connection closed in turn has not been cut off.
        self.hear(answer, &connection, finish, |_| Ok(Heard::Words("an answer".to_owned())));
        Ok(())
    }

    /// Sends a frame on a connection of its own.
    pub(super) fn frame(&mut self, frame: &[u8]) -> Result<()> {
        let mut bytes = (frame.len() as i32).to_be_bytes().to_vec();
        bytes.extend(frame);
        self.bytes(&bytes, false)
    }

    /// Sends the body of a request; the answer, if there is one, is read as one of version `answer_version`.
    pub(super) fn body(&mut self, key: ApiKey, version: i16, body: &[u8], answer_version: i16) -> Result<()> {
        let mut connection = Connection::open(self.port, Duration::from_secs(10))?;
        connection.send_frame(&frame_of(key, version, body));
        let answer = connection.answer();
        let blanks = std::mem::take(&mut self.blanks);
        self.hear(answer, &connection, false, |frame| {
            let body = answer_body(key, answer_version, frame)?;
            let mut fields = fields::of_response(key, answer_version, &body)?;
            fields.retain(|path, value| !(path.ends_with("unknown_tags") && value == "None"));
            let mut fields = fields::by_identity(&fields);
            blanks.apply(&mut fields);
            Ok(Heard::Answer(fields))
        });
        self.blanks = blanks;
        Ok(())
    }

    /// Sends a request whose form is right.
    pub(super) fn ask<R: Request>(&mut self, version: i16, request: &R) -> Result<()> {
        self.body(R::KEY, version, &body_of(version, request)?, version)
    }

    /// Sends a request of the set-up, whose answer is not part of the comparison.
    pub(super) fn prepare<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response> {
        let body = body_of(version, request)?;
        let answer = Client::open(self.port)?.ask_bytes(R::KEY, version, &body)?;
        Ok(decode_all(&answer, |r| R::Response::decode(r, version))?)
    }

    /// Asks until the answer is `wanted`: Kafka carries out what it acknowledged a little later.
    pub(super) fn until<R: Request>(
        &mut self,
        version: i16,
        request: &R,
        wanted: impl Fn(&R::Response) -> bool,
    ) -> Result<R::Response> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = self.prepare(version, request)?;
            if wanted(&answer) {
                return Ok(answer);
            }
            ensure!(Instant::now() < deadline, "{} is never answered as it should be", R::KEY.name());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn hear(
        &mut self,
        answer: Answer,
        connection: &Connection,
        closed_by_us: bool,
        read: impl FnOnce(Vec<u8>) -> Result<Heard>,
    ) {
        self.heard.push(match answer {
            Answer::Frame(frame) => {
                read(frame).unwrap_or_else(|error| Heard::Words(format!("unreadable answer: {error:#}")))
            }
            Answer::Closed => {
                if !closed_by_us {
                    self.closed.push(connection.local_address());
                }
                Heard::Words("connection closed".to_owned())
            }
            Answer::Silence => Heard::Words("silence".to_owned()),
        });
    }
}
