//! The configuration of this broker as it is now: what it was started with, and what was changed since.

use arc_swap::{ArcSwap, Guard};
use ottla_config::alter::usable_broker_configs;
use ottla_config::{BrokerConfig, BrokerSettings, ConfigMap, TopicSettings};
use ottla_metadata::{ConfigResource, Image};
use ottla_protocol::BrokerId;
use std::sync::Arc;

/// Layers and typed settings; replaced as a whole by a dynamic change.
pub struct Config {
    layers: ArcSwap<BrokerConfig>,
    settings: ArcSwap<BrokerSettings>,
}

impl Config {
    /// What the process was started with.
    pub fn new(layers: BrokerConfig, settings: BrokerSettings) -> Config {
        Config { layers: ArcSwap::from_pointee(layers), settings: ArcSwap::from_pointee(settings) }
    }

    /// The typed settings.
    pub fn current(&self) -> Guard<Arc<BrokerSettings>> {
        self.settings.load()
    }

    /// All layers.
    pub fn layers(&self) -> Guard<Arc<BrokerConfig>> {
        self.layers.load()
    }

    /// A topic's settings: its own values over the broker's.
    pub fn topic(&self, values: &ConfigMap) -> TopicSettings {
        let layers = self.layers();
        TopicSettings::resolve(&layers, values).unwrap_or_else(|error| {
            // Nothing invalid is accepted into the metadata log; a log from elsewhere is read all the same.
            tracing::error!(%error, "a topic's configuration cannot be read; its defaults are used");
            TopicSettings::resolve(&layers, &ConfigMap::new()).expect("the broker's own values were checked")
        })
    }

    /// Takes over the dynamic values that the image has for this broker.
    pub fn follow(&self, image: &Image, node_id: BrokerId) {
        let usable = |resource: &ConfigResource, per_broker| {
            let (usable, warnings) = usable_broker_configs(image.config(resource), per_broker);
            for warning in warnings {
                tracing::warn!("{warning}");
            }
            usable
        };
        let defaults = usable(&ConfigResource::default_broker(), false);
        let own = usable(&ConfigResource::broker(node_id), true);
        let settings = self.layers().with_dynamic(defaults, own).and_then(|layers| {
            let settings = BrokerSettings::resolve(&layers)?;
            Ok((settings, layers))
        });
        match settings {
            Ok((settings, layers)) => {
                self.layers.store(Arc::new(layers));
                self.settings.store(Arc::new(settings));
            }
            Err(error) => {
                tracing::error!(%error, "dynamic configuration cannot be used; the values before stay")
            }
        }
    }
}
