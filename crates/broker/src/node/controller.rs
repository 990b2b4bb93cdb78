//! The way to the active controller. On a node that is its own quorum it runs on the metadata thread.

use ottla_controller::{ControllerRequest, ControllerResponse};
use ottla_protocol::ErrorCode;
use ottla_protocol::codec::Request;
use ottla_protocol::messages::*;
use std::future::Future;
use std::sync::mpsc;
use tokio::sync::oneshot;

/// What the metadata thread is asked to do.
pub(super) enum Command {
    /// Let the controller decide.
    Ask {
        version: i16,
        request: ControllerRequest,
        reply: oneshot::Sender<Result<ControllerResponse, ErrorCode>>,
    },
    /// Tell about the quorum.
    DescribeQuorum {
        version: i16,
        request: DescribeQuorumRequest,
        reply: oneshot::Sender<DescribeQuorumResponse>,
    },
    /// Close the metadata log and end.
    Stop,
}

/// A request that the controller answers, in its own type and in the controller's.
pub trait ForController: Request {
    /// The request among all that the controller takes.
    fn wrap(self) -> ControllerRequest;
    /// The answer among all that it gives.
    fn unwrap(response: ControllerResponse) -> Option<Self::Response>;
}

macro_rules! for_controller {
    ($($name:ident $request:ident),*) => {$(
        impl ForController for $request {
            fn wrap(self) -> ControllerRequest {
                ControllerRequest::$name(self)
            }

            fn unwrap(response: ControllerResponse) -> Option<Self::Response> {
                match response {
                    ControllerResponse::$name(response) => Some(response),
                    _ => None,
                }
            }
        }
    )*};
}

for_controller!(
    AlterPartition AlterPartitionRequest,
    BrokerRegistration BrokerRegistrationRequest,
    BrokerHeartbeat BrokerHeartbeatRequest,
    CreateTopics CreateTopicsRequest,
    DeleteTopics DeleteTopicsRequest,
    CreatePartitions CreatePartitionsRequest,
    AlterConfigs AlterConfigsRequest,
    IncrementalAlterConfigs IncrementalAlterConfigsRequest,
    AllocateProducerIds AllocateProducerIdsRequest,
    AssignReplicasToDirs AssignReplicasToDirsRequest
);

/// Asks the controller; cheap to clone.
#[derive(Clone)]
pub struct ControllerHandle {
    commands: mpsc::Sender<Command>,
}

impl ControllerHandle {
    pub(super) fn new(commands: mpsc::Sender<Command>) -> ControllerHandle {
        ControllerHandle { commands }
    }

    /// Asks at the newest version of the request.
    pub fn ask<R: ForController>(
        &self,
        request: R,
    ) -> impl Future<Output = Result<R::Response, ErrorCode>> + use<R> {
        self.ask_at(R::KEY.versions().1, request)
    }

    /// Asks at the version at which a client did. The question is on its way when this returns.
    ///
    /// # Errors
    /// NOT_CONTROLLER while no controller is active here.
    pub fn ask_at<R: ForController>(
        &self,
        version: i16,
        request: R,
    ) -> impl Future<Output = Result<R::Response, ErrorCode>> + use<R> {
        let (reply, answer) = oneshot::channel();
        // If the metadata thread has ended, the sender is dropped and the answer says so.
        self.commands.send(Command::Ask { version, request: request.wrap(), reply }).ok();
        async move {
            let response = answer.await.unwrap_or(Err(ErrorCode::NotController))?;
            Ok(R::unwrap(response).expect("the controller answers what it was asked"))
        }
    }

    /// Asks about the quorum.
    pub fn describe_quorum(
        &self,
        version: i16,
        request: DescribeQuorumRequest,
    ) -> impl Future<Output = Option<DescribeQuorumResponse>> + use<> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::DescribeQuorum { version, request, reply }).ok();
        async move { answer.await.ok() }
    }

    /// Ends the metadata thread when it has done what it was asked before.
    pub(super) fn stop(&self) {
        self.commands.send(Command::Stop).ok();
    }
}
