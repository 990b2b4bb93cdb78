//! `id@host:port:directory-id`: voters of a quorum that can grow (KIP-853).

use std::collections::BTreeMap;

use ottla_protocol::{BrokerId, Uuid};
use ottla_quorum::{ReplicaKey, VoterNode, VoterSet};

use crate::failure::Exception;
use crate::java;

/// The voters by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Voters(BTreeMap<i32, Voter>);

/// Where a voter is reached, and which directory it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Voter {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) directory_id: Uuid,
}

impl Voters {
    /// One voter.
    pub(super) fn sole(id: i32, voter: Voter) -> Voters {
        Voters(BTreeMap::from([(id, voter)]))
    }

    /// Reads a list with commas.
    pub(super) fn parse(text: &str) -> Result<Voters, Exception> {
        let mut voters = BTreeMap::new();
        for voter in text.split(',').map(str::trim).filter(|voter| !voter.is_empty()) {
            let (id, voter) = parse_voter(voter)?;
            if voters.insert(id, voter).is_some() {
                return Err(Exception::illegal_argument(format!(
                    "Node id {id} was specified more than once."
                )));
            }
        }
        if voters.is_empty() {
            return Err(Exception::illegal_argument("No voters given."));
        }
        Ok(Voters(voters))
    }

    /// A voter.
    pub(super) fn get(&self, id: i32) -> Option<&Voter> {
        self.0.get(&id)
    }

    /// As the quorum knows them.
    pub(super) fn voter_set(&self, listener: &str) -> VoterSet {
        let voter = |(id, voter): (&i32, &Voter)| {
            let key = ReplicaKey { id: BrokerId(*id), directory_id: voter.directory_id };
            let endpoint = (listener.into(), voter.host.as_str().into(), voter.port);
            (key, VoterNode::local(vec![endpoint]))
        };
        VoterSet(self.0.iter().map(voter).collect())
    }
}

fn parse_voter(text: &str) -> Result<(i32, Voter), Exception> {
    let refuse = |text: &str| Exception::illegal_argument(text);
    let because = |what: &str, cause: Exception| Exception {
        cause: Some(Box::new(cause)),
        ..Exception::illegal_argument(format!("Failed to parse {what} in dynamic voter string."))
    };
    let (id, rest) = text.split_once('@').ok_or_else(|| refuse("No @ found in dynamic voter string."))?;
    let id = java::parse_int(id).map_err(|error| because("node id", error))?;
    if id < 0 {
        return Err(Exception::illegal_argument(format!(
            "Invalid negative node id {id} in dynamic voter string."
        )));
    }
    let (host, rest) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest
                .split_once(']')
                .ok_or_else(|| refuse("Hostname began with left bracket, but no right bracket was found."))?;
            let rest = rest.strip_prefix(':');
            (host, rest.ok_or_else(|| refuse("No colon following hostname could be found."))?)
        }
        None => rest.split_once(':').ok_or_else(|| refuse("No colon following hostname could be found."))?,
    };
    let (port, directory_id) =
        rest.split_once(':').ok_or_else(|| refuse("No colon following port could be found."))?;
    let port = java::parse_int(port).map_err(|error| because("port", error))?;
    let port = u16::try_from(port)
        .map_err(|_| Exception::illegal_argument(format!("Invalid port {port} in dynamic voter string.")))?;
    let directory_id = java::parse_uuid(directory_id).map_err(|error| because("directory ID", error))?;
    Ok((id, Voter { host: host.to_string(), port, directory_id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voters_have_an_address_and_a_directory() {
        let id = Uuid::parse("JEXY6aqzQY-32P5TStzaFg").expect("an id");
        let voters =
            Voters::parse("3@127.0.0.1:21911:JEXY6aqzQY-32P5TStzaFg, 4@[::1]:22:MvDxzVmcRsaTz33bUuRU6A");
        let voters = voters.expect("well-formed");
        let expected = Voter { host: "127.0.0.1".to_string(), port: 21911, directory_id: id };
        assert_eq!(voters.get(3), Some(&expected));
        assert_eq!(voters.get(4).map(|voter| voter.host.as_str()), Some("::1"));
    }

    #[test]
    fn what_is_no_voter_is_refused_in_kafkas_words() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Voters::parse(text).expect_err(text).text(), expected);
        };
        check("", "No voters given.");
        check("foo", "No @ found in dynamic voter string.");
        check("3@h", "No colon following hostname could be found.");
        check("3@h:1", "No colon following port could be found.");
        check("3@h:x:JEXY6aqzQY-32P5TStzaFg", "Failed to parse port in dynamic voter string.");
        check("3@h:1:x", "Failed to parse directory ID in dynamic voter string.");
        check("x@h:1:JEXY6aqzQY-32P5TStzaFg", "Failed to parse node id in dynamic voter string.");
        check("3@h:70000:JEXY6aqzQY-32P5TStzaFg", "Invalid port 70000 in dynamic voter string.");
        check(
            "3@[::1:1:JEXY6aqzQY-32P5TStzaFg",
            "Hostname began with left bracket, but no right bracket was found.",
        );
    }
}
