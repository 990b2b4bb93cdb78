//! DeleteRecords: up to where a partition's records go (KIP-107).

use ottla_protocol::{ErrorCode, Offset};

use crate::Refusal;

/// The request's offset that means: everything up to the high watermark.
pub const HIGH_WATERMARK: Offset = Offset(-1);

/// The new log start for a request's `offset`. If it is not above the present start nothing is deleted, which is no
/// error. The request is done when the low watermark reaches it.
///
/// `deletes` and `compacts` are the topic's `cleanup.policy`. The host has made sure that this broker leads, and that the
/// topic is not internal (INVALID_TOPIC_EXCEPTION).
///
/// # Errors
/// POLICY_VIOLATION for a topic that is compacted only; OFFSET_OUT_OF_RANGE above the high watermark or below zero.
pub fn target(
    offset: Offset,
    high_watermark: Offset,
    deletes: bool,
    compacts: bool,
) -> Result<Offset, Refusal> {
    if compacts && !deletes {
        return Err(Refusal::new(ErrorCode::PolicyViolation, "cleanup.policy is compact alone"));
    }
    let offset = if offset == HIGH_WATERMARK { high_watermark } else { offset };
    if offset < Offset(0) || offset > high_watermark {
        let reason = format!("offset {offset} is not in 0..={high_watermark}");
        return Err(Refusal::new(ErrorCode::OffsetOutOfRange, reason));
    }
    Ok(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(offset: i64, policy: (bool, bool), expected: Result<i64, ErrorCode>) {
        let found = target(Offset(offset), Offset(10), policy.0, policy.1);
        assert_eq!(found.map(|offset| offset.0).map_err(|refusal| refusal.error), expected);
    }

    #[test]
    fn minus_one_is_the_high_watermark() {
        check(-1, (true, false), Ok(10));
    }

    #[test]
    fn offsets_up_to_the_high_watermark_are_taken() {
        check(0, (true, false), Ok(0));
        check(10, (true, true), Ok(10));
    }

    #[test]
    fn other_offsets_are_out_of_range() {
        for offset in [11, -2, i64::MIN, i64::MAX] {
            check(offset, (true, false), Err(ErrorCode::OffsetOutOfRange));
        }
    }

    #[test]
    fn compacted_topics_keep_their_records() {
        check(5, (false, true), Err(ErrorCode::PolicyViolation));
        check(5, (false, false), Ok(5));
    }
}
