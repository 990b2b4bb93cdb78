//! Stories with their expected effects, and random lives whose end the log must tell.

mod host;
mod hostile;
mod random;
mod record_bytes;
mod scenario;
mod text;
