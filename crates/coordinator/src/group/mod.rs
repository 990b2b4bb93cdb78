//! Groups and their offsets: the state of one partition of `__consumer_offsets`.

mod coordinator;
mod effect;
mod input;
mod request;
mod settings;

pub use coordinator::GroupCoordinator;
pub use effect::{CoordinatorRecord, Effect};
pub use input::{DeletedTopic, Input, RequestContext, RequestId, WriteId};
pub use request::{GroupRequest, GroupResponse};
pub use settings::Settings;
