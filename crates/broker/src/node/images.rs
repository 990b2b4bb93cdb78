//! The current view of the cluster, for everybody.

use arc_swap::{ArcSwap, Guard};
use ottla_metadata::Image;
use std::sync::Arc;

/// Holds the newest published image. Reading it costs no lock and no reference count.
#[derive(Default)]
pub struct Images(ArcSwap<Image>);

impl Images {
    /// The newest image; the guard keeps it for as long as it is held.
    pub fn current(&self) -> Guard<Arc<Image>> {
        self.0.load()
    }

    /// Makes an image the newest. Only the publisher calls this, after it has followed the changes.
    pub fn publish(&self, image: Arc<Image>) {
        self.0.store(image);
    }
}
