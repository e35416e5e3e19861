//! What the schema tables say, for others: JSON Schema, CUE and the Markdown reference. Generated, never edited.

mod cue;
mod json;
mod json_schema;
mod reference;
#[cfg(test)]
mod tests;

pub use cue::cue;
pub use json_schema::json_schema;
pub use reference::{Page, reference};

/// What may stand in place of any scalar: a value from the environment or a file.
const INTERPOLATED: &str = r"\$\{(env|file):[^}]+\}";
const DURATION: &str = r"^([0-9]+(\.[0-9]+)?(d|h|m|s|ms|us|ns))+$";
const SIZE: &str = r"^[0-9]+(\.[0-9]+)?(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$";
const RATE: &str = r"^[0-9]+/([0-9]+(\.[0-9]+)?)?(d|h|m|s|ms|us|ns)$";
const STATUS: &str = r"^[1-5][0-9]{2}$";
const STATUSES: &str = r"^[1-5][0-9]{2}(-[1-5][0-9]{2})?$";
const NODE_NAME: &str = r"^[a-z0-9][a-z0-9-]*$";
