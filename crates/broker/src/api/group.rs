//! What the handlers of all group requests share: asking a coordinator and waiting for its answer.

use super::call::{Call, Handled};
use crate::net::Answer;
use crate::node::groups::{Asked, Groups};
use ottla_coordinator::group::{GroupRequest, GroupResponse, RequestContext};
use ottla_protocol::codec::Message;

/// What the coordinator is told of the client.
pub(super) fn context(call: &Call) -> RequestContext {
    RequestContext {
        api_version: call.version,
        client_id: call.client_id.clone().unwrap_or_default(),
        client_host: call.client_host().into(),
    }
}

/// Asks the coordinator of a group and answers with what `message` finds in its response.
pub(super) fn ask<M: Message + Send + 'static>(
    call: &Call,
    groups: &Groups,
    group: &str,
    request: GroupRequest,
    message: fn(GroupResponse) -> Option<M>,
) -> Handled {
    let expect = move |response| message(response).expect("a coordinator answers what it was asked");
    let asked = groups.ask(group, context(call), request);
    answer(call, vec![asked], move |mut responses| expect(responses.remove(0)))
}

/// Answers when all questions are answered: at once where nothing has to be waited for.
pub(super) fn answer<M: Message>(
    call: &Call,
    asked: Vec<Asked>,
    join: impl FnOnce(Vec<GroupResponse>) -> M + Send + 'static,
) -> Handled {
    let reply_to = call.reply_to();
    if asked.iter().all(|one| matches!(one, Asked::Now(_))) {
        let now = asked.into_iter().filter_map(|one| match one {
            Asked::Now(response) => Some(response),
            Asked::Later(_) => None,
        });
        return Ok(reply_to.with(&join(now.collect())));
    }
    Ok(Answer::later(async move {
        let mut responses = Vec::with_capacity(asked.len());
        for one in asked {
            match one {
                Asked::Now(response) => responses.push(response),
                Asked::Later(receiver) => match receiver.await {
                    Ok(response) => responses.push(response),
                    Err(_) => return Answer::Close("the broker is stopping".into()),
                },
            }
        }
        reply_to.with(&join(responses))
    }))
}

/// A function that takes one variant of a [`GroupResponse`] out of it.
macro_rules! variant {
    ($variant:ident) => {
        |response| match response {
            ottla_coordinator::group::GroupResponse::$variant(message) => Some(message),
            _ => None,
        }
    };
}
pub(super) use variant;
