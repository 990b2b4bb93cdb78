//! Whether a configuration is that of a cluster of one. More is not there yet, and a node that is told of others must not
//! become a cluster beside theirs.

use ottla_config::{BrokerSettings, StartError};
use std::net::{TcpListener, ToSocketAddrs};

/// Refuses a node that lacks a role, or names another controller.
pub(super) fn check(settings: &BrokerSettings) -> Result<(), StartError> {
    let (roles, quorum) = (&settings.roles, &settings.quorum);
    let why = if !(roles.is_broker && roles.is_controller) {
        "process.roles: a node that is not both broker and controller".to_owned()
    } else if let Some(voter) = quorum.voters.iter().find(|voter| voter.id != roles.node_id) {
        format!("controller.quorum.voters: a node beside {}", voter.id)
    } else if let Some((host, port)) = quorum.bootstrap_servers.iter().find(|(host, _)| !is_here(host)) {
        format!("controller.quorum.bootstrap.servers: a node beside the one at {host}:{port}")
    } else {
        return Ok(());
    };
    Err(StartError::new(
        format!("{why} needs a cluster of several nodes, which this version does not have"),
        "give this node both roles, and name no controller but itself (or none)",
    ))
}

/// Whether a name is one of this machine: only an address that it has can be bound.
fn is_here(host: &str) -> bool {
    let addresses = (host, 0).to_socket_addrs();
    addresses.is_ok_and(|mut addresses| addresses.any(|address| TcpListener::bind(address).is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_config::{Inputs, load};

    #[track_caller]
    fn check_that(text: &str, expect: Result<(), &str>) {
        let text = format!("{text}\ncontroller.listener.names=CONTROLLER");
        let loaded =
            load(&Inputs { file: Some(("file", &text)), ..Inputs::default() }).expect("as Kafka has it");
        let causes = check(&loaded.settings).map_err(|error| error.cause);
        assert_eq!(
            causes.as_ref().err().map(|cause| cause.split(':').next().unwrap()),
            expect.err(),
            "{causes:?}"
        );
    }

    #[test]
    fn a_node_that_is_told_of_others_does_not_start_alone() {
        let both = "listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2";
        check_that(both, Ok(()));
        check_that(&format!("{both}\ncontroller.quorum.voters=1@anywhere:2"), Ok(()));
        check_that(&format!("{both}\ncontroller.quorum.bootstrap.servers=127.0.0.1:2"), Ok(()));
        check_that(&format!("{both}\ncontroller.quorum.voters=1@a:2,2@b:2"), Err("controller.quorum.voters"));
        // An address of a network that exists in documents only (RFC 5737).
        check_that(
            &format!("{both}\ncontroller.quorum.bootstrap.servers=127.0.0.1:2,192.0.2.1:2"),
            Err("controller.quorum.bootstrap.servers"),
        );
        check_that(
            "process.roles=broker\nlisteners=PLAINTEXT://127.0.0.1:1\ncontroller.quorum.voters=2@b:2",
            Err("process.roles"),
        );
        check_that(
            "process.roles=controller\nlisteners=CONTROLLER://127.0.0.1:2\ncontroller.quorum.voters=1@b:2",
            Err("process.roles"),
        );
    }
}
