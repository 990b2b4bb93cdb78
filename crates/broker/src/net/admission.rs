//! How many connections there may be, and how many of one client.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// How many connections there may be.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionLimits {
    /// `max.connections`, of all listeners.
    pub(crate) all: usize,
    /// `max.connections.per.ip`.
    pub(crate) per_ip: usize,
    /// `max.connections.per.ip.overrides`.
    pub(crate) overrides: HashMap<IpAddr, usize>,
}

/// The connections that there are, by the client's address.
pub(super) struct Admission {
    limits: ConnectionLimits,
    by_ip: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection's place; given back when it ends, however it ends.
pub(super) struct Place {
    admission: Arc<Admission>,
    ip: IpAddr,
}

impl Admission {
    /// Nobody is there yet.
    pub(super) fn new(limits: ConnectionLimits) -> Arc<Admission> {
        Arc::new(Admission { limits, by_ip: Mutex::default() })
    }

    /// A place for one more connection of a client, if there is one.
    pub(super) fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Place, &'static str> {
        let mut by_ip = self.by_ip.lock();
        if by_ip.values().sum::<usize>() >= self.limits.all {
            return Err("max.connections is reached");
        }
        let count = by_ip.entry(ip).or_default();
        if *count >= self.limits.overrides.get(&ip).copied().unwrap_or(self.limits.per_ip) {
            return Err("max.connections.per.ip is reached");
        }
        *count += 1;
        Ok(Place { admission: Arc::clone(self), ip })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_ip = self.admission.by_ip.lock();
        if let Some(count) = by_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back_when_its_connection_ends() {
        let [one, two]: [IpAddr; 2] = [[127, 0, 0, 1].into(), [127, 0, 0, 2].into()];
        let overrides = HashMap::from([(two, 1)]);
        let admission = Admission::new(ConnectionLimits { all: 3, per_ip: 2, overrides });
        let first = admission.admit(one).ok().unwrap();
        let _second = admission.admit(one).ok().unwrap();
        assert_eq!(admission.admit(one).err(), Some("max.connections.per.ip is reached"));
        let _third = admission.admit(two).ok().unwrap();
        assert_eq!(admission.admit(one).err(), Some("max.connections is reached"));
        drop(first);
        assert_eq!(admission.admit(two).err(), Some("max.connections.per.ip is reached"));
        assert!(admission.admit(one).is_ok());
    }
}
