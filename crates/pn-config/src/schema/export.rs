//! The schema for other tools: JSON Schema for editors, CUE for those who generate configuration.

mod cue;
mod json;

pub use cue::cue;
pub use json::json_schema;

use super::Type;

/// Something that interpolation fills in, which no pattern can judge.
const FILLED: &str = r"\$\{";

/// A regex that strings of a type match, in the syntax that JSON Schema and CUE share.
fn pattern(ty: &Type) -> Option<String> {
    let own = match ty {
        Type::Duration(..) => r"^([0-9]+(\.[0-9]+)?(d|h|m|s|ms|us|ns))+$",
        Type::Size(..) => r"^[0-9]+(\.[0-9]+)?(B|[KMGT]B|[KMGT]iB)$",
        Type::Rate => r"^[0-9]+/[0-9]*(d|h|m|s|ms)",
        Type::Status => r"^[1-5][0-9][0-9]$",
        Type::Statuses => r"^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$",
        _ => return None,
    };
    Some(format!("{own}|{FILLED}"))
}
