//! Requests that the controller answers.

use super::call::{Call, Handled};
use crate::net::Answer;
use crate::node::controller::{ControllerHandle, ForController};
use ottla_protocol::codec::Message;

/// Passes the request on; what it changes is visible on this broker before the answer leaves.
pub(super) fn forward<R>(call: &Call, controller: &ControllerHandle) -> Handled
where
    R: ForController + Send + 'static,
    R::Response: Message + Send,
{
    let request: R = call.decode()?;
    let (reply_to, asking) = (call.reply_to(), controller.ask_at(call.version, request));
    Ok(Answer::later(async move {
        match asking.await {
            Ok(response) => reply_to.with(&response),
            Err(error) => Answer::Close(format!("the controller is not there: {error}")),
        }
    }))
}
