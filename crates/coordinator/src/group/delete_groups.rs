//! DeleteGroups (KIP-229): one group of it.

use super::state::State;
use super::turn::Turn;
use super::writes::Caller;
use super::{GroupResponse, records};
use ottla_protocol::messages::delete_groups_response::DeletableGroupResult;
use ottla_protocol::{ByteString, ErrorCode};

impl State {
    /// Ends a group without members, with all its offsets.
    pub(super) fn delete_group(&mut self, turn: &mut Turn<'_>, caller: Caller, id: &ByteString) {
        let id = match self.groups.written(id) {
            None => return turn.reply(caller, answer(id, ErrorCode::GroupIdNotFound)),
            Some(group) if !group.is_empty() => {
                return turn.reply(caller, answer(id, ErrorCode::NonEmptyGroup));
            }
            Some(group) => group.id().clone(),
        };
        let offsets: Vec<_> = self.offsets.written_of(&id).map(|(key, _)| key).collect();
        let of_offsets = offsets.iter().map(records::offset_tombstone);
        let write = turn.append(of_offsets.chain([records::group_tombstone(&id)]).collect());
        for key in offsets {
            self.put_offset(turn, write, key, None);
        }
        self.end_group(turn, write, &id);
        turn.reply_after(Some(write), caller, answer(&id, ErrorCode::None));
    }
}

/// The outcome for the group.
pub(super) fn answer(id: &ByteString, code: ErrorCode) -> GroupResponse {
    GroupResponse::DeleteGroup(DeletableGroupResult {
        group_id: id.clone(),
        error_code: code as i16,
        ..Default::default()
    })
}
