//! The connections of a client: one per address and purpose, made when first needed, made again when broken.

use crate::config::{Address, ClientConfig};
use crate::{Connection, Error, Result};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why there can be several connections to one broker. It answers a connection's requests in order, so what may wait
/// long there must not stand in front of what may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// Everything that is answered at once.
    Data,
    /// Fetches, which wait for records.
    Fetch,
    /// A group's coordinator: joins wait for the other members.
    Group,
}

pub(crate) struct Pool {
    config: Arc<ClientConfig>,
    slots: Mutex<HashMap<(Address, Purpose), Arc<Slot>>>,
}

#[derive(Default)]
struct Slot {
    connection: tokio::sync::Mutex<Option<Arc<Connection>>>,
    /// Whether it was said already that the address does not answer.
    told: AtomicBool,
}

impl Pool {
    pub(crate) fn new(config: Arc<ClientConfig>) -> Pool {
        Pool { config, slots: Mutex::default() }
    }

    /// The connection, made now if it is not there. Several callers wait for the same attempt.
    pub(crate) async fn get(&self, address: &Address, purpose: Purpose) -> Result<Arc<Connection>> {
        let slot = Arc::clone(self.slots.lock().entry((address.clone(), purpose)).or_default());
        let mut place = slot.connection.lock().await;
        if let Some(connection) = place.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        let opened = Connection::open(address, &self.config).await.map(Arc::new);
        match &opened {
            Ok(_) => slot.told.store(false, Ordering::Relaxed),
            Err(error) => slot.tell(error),
        }
        *place = opened.as_ref().ok().cloned();
        opened
    }
}

impl Slot {
    /// Once per outage: a client that waits for its broker must not fill the terminal.
    fn tell(&self, error: &Error) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!("{error}; is the broker running? Trying again");
        }
    }
}
