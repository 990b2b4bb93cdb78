//! The table of `--print-metrics`.
//!
//! Kafka's tools print everything that Java's client measures; ours print what the tools count by themselves, under
//! the same names.

use std::collections::BTreeMap;

use crate::context::Context;
use crate::java::fixed;

/// Values by group and name.
pub(crate) struct Metrics {
    client_id: String,
    values: BTreeMap<String, u64>,
}

impl Metrics {
    /// None yet, of a client.
    pub(crate) fn new(client_id: &str) -> Metrics {
        Metrics { client_id: client_id.to_owned(), values: BTreeMap::new() }
    }

    /// The same and one more.
    pub(crate) fn with(mut self, group: &str, name: &str, value: u64) -> Metrics {
        self.values.insert(format!("{group}:{name}:{{client-id={}}}", self.client_id), value);
        self
    }

    /// Prints them by name.
    pub(crate) fn print(&self, cx: &mut Context<'_>) -> std::io::Result<()> {
        let width = self.values.keys().map(|name| name.encode_utf16().count()).max().unwrap_or_default();
        writeln!(cx.out, "\n{:width$}   Value", "Metric Name")?;
        for (name, value) in &self.values {
            writeln!(cx.out, "{name:width$} : {}", fixed(*value as f64, 3))?;
        }
        Ok(())
    }
}
