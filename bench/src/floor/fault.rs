//! Ways of being wrong that a load generator must notice.

/// What a faulty broker does to one batch in a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Acknowledges it and does not store it: its offsets are a gap.
    DropBatch,
    /// Acknowledges it and neither stores it nor counts its offsets again: the next batch has them too.
    ForgetBatch,
    /// Changes a byte of a record.
    FlipByte,
    /// Changes a byte of a record, and the checksum with it.
    FlipByteAndChecksum,
    /// Stores it behind the next one.
    SwapBatches,
    /// Stores it twice.
    Duplicate,
    /// Acknowledges it at another offset.
    WrongOffset,
    /// Acknowledges it as stored for the time being, with an error.
    WrongError,
    /// Answers the request before it with what belongs to it.
    WrongCorrelation,
}

/// Every fault, with its name on the command line.
const FAULTS: &[(&str, Fault)] = &[
    ("drop-batch", Fault::DropBatch),
    ("forget-batch", Fault::ForgetBatch),
    ("flip-byte", Fault::FlipByte),
    ("flip-byte-and-checksum", Fault::FlipByteAndChecksum),
    ("swap-batches", Fault::SwapBatches),
    ("duplicate", Fault::Duplicate),
    ("wrong-offset", Fault::WrongOffset),
    ("wrong-error", Fault::WrongError),
    ("wrong-correlation", Fault::WrongCorrelation),
];

impl Fault {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Fault> {
        FAULTS.iter().map(|(_, fault)| *fault)
    }

    /// The fault of this name.
    pub fn parse(name: &str) -> Option<Fault> {
        FAULTS.iter().find(|(known, _)| *known == name).map(|(_, fault)| *fault)
    }
}
