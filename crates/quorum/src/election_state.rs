//! The `quorum-state` file: what a node must remember of elections, one line of JSON.

use crate::voter_set::ReplicaKey;
use ottla_protocol::{BrokerId, LeaderEpoch, Uuid};
use serde_json::Value;

/// Epoch, leader and vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElectionState {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// Who leads it, if that is known.
    pub leader_id: Option<BrokerId>,
    /// For whom this node voted in it.
    pub voted: Option<ReplicaKey>,
    /// The voters, which the file names while kraft.version is 0.
    pub voters: Vec<BrokerId>,
}

/// Why the file cannot be read. It is replaced atomically, so a damaged one was not written by this software.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElectionStateError {
    /// Not one JSON object.
    #[error("it is not a JSON object: {0}")]
    Json(String),
    /// Of a newer Kafka.
    #[error("its data_version is {0}; this build knows 0 and 1")]
    Version(i64),
    /// A field is missing or out of range.
    #[error("its field {0} is missing or out of range")]
    Field(&'static str),
}

impl ElectionState {
    /// What a node starts from that has no file.
    pub const NONE: ElectionState =
        ElectionState { epoch: LeaderEpoch(0), leader_id: None, voted: None, voters: Vec::new() };

    /// The content of the file as Kafka writes it; its version follows kraft.version.
    pub fn to_json(&self, kraft_version: i16) -> String {
        let id = |id: Option<BrokerId>| id.map_or(-1, |id| id.0);
        let (leader_id, epoch) = (id(self.leader_id), self.epoch);
        let voted_id = id(self.voted.map(|key| key.id));
        if kraft_version > 0 {
            let directory_id = self.voted.map_or(Uuid::ZERO, |key| key.directory_id);
            return format!(
                r#"{{"leaderId":{leader_id},"leaderEpoch":{epoch},"votedId":{voted_id},"votedDirectoryId":"{directory_id}","data_version":1}}"#
            );
        }
        let voters: Vec<String> = self.voters.iter().map(|id| format!(r#"{{"voterId":{id}}}"#)).collect();
        let voters = voters.join(",");
        format!(
            r#"{{"clusterId":"","leaderId":{leader_id},"leaderEpoch":{epoch},"votedId":{voted_id},"appliedOffset":0,"currentVoters":[{voters}],"data_version":0}}"#
        )
    }

    /// Reads the content of the file.
    ///
    /// # Errors
    /// What is not such a file.
    pub fn from_json(text: &str) -> Result<ElectionState, ElectionStateError> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| ElectionStateError::Json(error.to_string()))?;
        let int = |name: &'static str| {
            let number = value.get(name).and_then(Value::as_i64);
            number.and_then(|number| i32::try_from(number).ok()).ok_or(ElectionStateError::Field(name))
        };
        let id = |number: i32| (number >= 0).then_some(BrokerId(number));
        let version = i64::from(int("data_version")?);
        let directory_id = match version {
            0 => Uuid::ZERO,
            1 => {
                let text = value.get("votedDirectoryId").and_then(Value::as_str);
                text.and_then(Uuid::parse).ok_or(ElectionStateError::Field("votedDirectoryId"))?
            }
            other => return Err(ElectionStateError::Version(other)),
        };
        let voters = value.get("currentVoters").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let voter = |voter: &Value| {
            let number = voter.get("voterId").and_then(Value::as_i64).and_then(|id| i32::try_from(id).ok());
            number.map(BrokerId).ok_or(ElectionStateError::Field("currentVoters"))
        };
        let epoch = int("leaderEpoch")?;
        if epoch < 0 {
            return Err(ElectionStateError::Field("leaderEpoch"));
        }
        Ok(ElectionState {
            epoch: LeaderEpoch(epoch),
            leader_id: id(int("leaderId")?),
            voted: id(int("votedId")?).map(|id| ReplicaKey { id, directory_id }),
            voters: voters.iter().map(voter).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_round_trip(text: &str, kraft_version: i16) {
        let state = ElectionState::from_json(text).unwrap();
        assert_eq!(state.to_json(kraft_version), text);
    }

    #[test]
    fn files_that_kafka_wrote_read_back_as_they_were() {
        check_round_trip(
            r#"{"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#,
            1,
        );
        check_round_trip(
            r#"{"leaderId":-1,"leaderEpoch":2,"votedId":1,"votedDirectoryId":"J8aAPcfLQt2bqs1JT_rMgQ","data_version":1}"#,
            1,
        );
        check_round_trip(
            r#"{"clusterId":"","leaderId":1,"leaderEpoch":2,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}"#,
            0,
        );
    }

    #[test]
    fn what_is_not_such_a_file_is_refused() {
        for text in ["", "{}", "[1]", r#"{"data_version":2}"#, r#"{"data_version":1,"leaderEpoch":-5}"#] {
            assert!(ElectionState::from_json(text).is_err(), "{text}");
        }
    }
}
