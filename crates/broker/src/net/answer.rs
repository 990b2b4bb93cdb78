//! What a request leads to.

use ottla_log::FileRegion;
use ottla_protocol::codec::Writer;
use std::future::Future;
use std::pin::Pin;

/// An encoded answer, its size and header in front.
pub(crate) struct Response {
    /// The bytes in memory, with holes for the regions.
    pub frame: Writer,
    /// What fills the holes, by their index.
    pub regions: Vec<FileRegion>,
}

impl From<Writer> for Response {
    fn from(frame: Writer) -> Self {
        Response { frame, regions: Vec::new() }
    }
}

/// What a request leads to. Its effects are applied when the answer is made; only the reply may come later.
pub(crate) enum Answer {
    /// A reply at once.
    Ready(Response),
    /// A reply when the future ends. Replies of one connection leave in the order of its requests.
    Later(Pin<Box<dyn Future<Output = Answer> + Send>>),
    /// No reply: the peer asked for none.
    Silent,
    /// The connection ends, after the replies before this one.
    Close(String),
}

impl Answer {
    /// An answer that is not there yet.
    pub(crate) fn later(future: impl Future<Output = Answer> + Send + 'static) -> Answer {
        Answer::Later(Box::pin(future))
    }
}
