//! Requests of this very process, without sockets and data threads: what shows whether threads get in each other's way,
//! and what a request costs by itself.

use crate::api::Api;
use crate::net::{Answer, Peer, Service};
use bytes::Bytes;
use ottla_log::LogError;
use ottla_protocol::codec::Piece;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// One client inside the process: what a connection is to others. Several may be used from several threads.
pub struct InProcess {
    api: Arc<Api>,
    session: Peer,
}

impl InProcess {
    pub(super) fn new(api: Arc<Api>) -> InProcess {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let session = api.open(Peer { address, listener: 0 });
        InProcess { api, session }
    }

    /// Hands a request over, without the four bytes of its size, and appends the answer with them to `out`, record
    /// bytes too. Says whether there is an answer: a request may ask for none, or be refused as a connection's last.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn call(&mut self, frame: Bytes, out: &mut Vec<u8>) -> Result<bool, LogError> {
        let mut answer = self.api.call(&mut self.session, frame);
        loop {
            match answer {
                Answer::Later(later) => answer = later.await,
                Answer::Silent | Answer::Close(_) => return Ok(false),
                Answer::Ready(response) => {
                    for piece in response.frame.pieces() {
                        match piece {
                            Piece::Bytes(bytes) => out.extend_from_slice(bytes),
                            Piece::External { index, .. } => response.regions[index as usize].read(out)?,
                        }
                    }
                    return Ok(true);
                }
            }
        }
    }
}
