//! The state of the controller.

use crate::effect::ControllerResponse;
use crate::input::RequestId;
use crate::random::Random;
use crate::sessions::Sessions;
use crate::topic_name::SimilarNames;
use ottla_config::BrokerConfig;
use ottla_metadata::{Image, MetadataRecord};
use ottla_protocol::{BrokerId, ErrorCode, LeaderEpoch, Offset};
use std::collections::VecDeque;

/// Most records in one batch, and most that one request of a user may write.
pub(crate) const RECORDS_PER_BATCH_MAX: usize = 10_000;

/// What the controller is told about its node.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `node.id`.
    pub node_id: BrokerId,
    /// Id of the cluster, as brokers must name it when they register.
    pub cluster_id: String,
    /// The node's configuration, without dynamic values: defaults of topics, session timeout, limits.
    pub config: BrokerConfig,
    /// What the first controller of an empty log writes: [`crate::default_bootstrap_records`], or what `bootstrap.checkpoint`
    /// holds.
    pub bootstrap: Vec<MetadataRecord>,
    /// Where randomness starts: ids of topics, and the broker that gets the first partition.
    pub seed: u64,
}

/// The controller of one node. It outlives changes of leadership; what it knows of the cluster does not.
#[derive(Debug)]
pub struct Controller {
    pub(crate) settings: Settings,
    pub(crate) active: Option<Active>,
}

/// What a node knows while it is the active controller.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) epoch: LeaderEpoch,
    /// Where the next record goes.
    pub(crate) next_offset: Offset,
    /// Everything before this offset is committed.
    pub(crate) committed: Offset,
    /// The image with everything that was written, committed or not.
    pub(crate) image: Image,
    /// The controller's configuration as of that image.
    pub(crate) config: BrokerConfig,
    /// Names of the image's topics.
    pub(crate) similar_names: SimilarNames,
    pub(crate) kraft_version: i16,
    pub(crate) sessions: Sessions,
    pub(crate) random: Random,
    /// Answers, in order, with the offset that must be committed first.
    pub(crate) waiting: VecDeque<Waiting>,
}

/// An answer that waits until everything before `offset` is committed.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) offset: Offset,
    pub(crate) id: RequestId,
    pub(crate) response: ControllerResponse,
}

/// What a decision comes to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What to write: one batch, or several if it is more than fits one and the order makes that safe.
    pub(crate) records: Vec<MetadataRecord>,
    pub(crate) response: ControllerResponse,
}

impl Outcome {
    /// An answer that writes nothing.
    pub(crate) fn answer(response: ControllerResponse) -> Outcome {
        Outcome { records: Vec::new(), response }
    }
}

impl Controller {
    /// A controller that is not active yet.
    pub fn new(settings: Settings) -> Controller {
        Controller { settings, active: None }
    }

    /// Whether this node is the active controller.
    pub fn is_active(&self) -> bool {
        self.active.is_some()
    }

    /// The image with everything that was written, while this node is the active controller. Brokers see only what is
    /// committed, which is the host's to publish.
    pub fn written_image(&self) -> Option<&Image> {
        self.active.as_ref().map(|active| &active.image)
    }

    /// When to be called again with [`crate::Input::Timeout`].
    pub fn deadline(&self) -> Option<i64> {
        let timeout_ms = self.session_timeout_ms();
        self.expirable_brokers()
            .filter_map(|id| self.active.as_ref()?.sessions.0[&id].expires_at(timeout_ms))
            .min()
    }

    pub(crate) fn session_timeout_ms(&self) -> i64 {
        i64::from(self.settings.config.int("broker.session.timeout.ms"))
    }

    /// The brokers that are fenced when they are silent. The only broker there is never is: nobody could take over, and a
    /// node that was suspended would wake up to fence itself.
    pub(crate) fn expirable_brokers(&self) -> impl Iterator<Item = BrokerId> {
        let image = self.active.as_ref().map(|active| &active.image);
        let image = image.filter(|image| image.brokers().count() > 1);
        image.into_iter().flat_map(Image::brokers).filter(|broker| !broker.fenced).map(|broker| broker.id)
    }
}

/// What the askers of a controller that resigns are told.
pub(crate) const NOT_CONTROLLER: ErrorCode = ErrorCode::NotController;
