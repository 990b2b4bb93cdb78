//! The current view of the cluster, for everybody.

use arc_swap::{ArcSwap, Guard};
use ottla_metadata::Image;
use std::sync::Arc;
use std::sync::atomic::{AtomicI16, Ordering};

/// Holds the newest published image. Reading it costs no lock and no reference count.
#[derive(Default)]
pub struct Images {
    image: ArcSwap<Image>,
    /// Level of kraft.version: the quorum's own feature, which is no part of the image.
    kraft_version: AtomicI16,
}

impl Images {
    /// The newest image; the guard keeps it for as long as it is held.
    pub(crate) fn current(&self) -> Guard<Arc<Image>> {
        self.image.load()
    }

    /// Makes an image the newest. Only the publisher calls this, after it has followed the changes.
    pub(crate) fn publish(&self, image: Arc<Image>) {
        self.image.store(image);
    }

    /// Level of the finalized feature kraft.version.
    pub(crate) fn kraft_version(&self) -> i16 {
        self.kraft_version.load(Ordering::Relaxed)
    }

    /// The quorum's level, as its log has it.
    pub(super) fn set_kraft_version(&self, level: i16) {
        self.kraft_version.store(level, Ordering::Relaxed);
    }
}
