//! Text to semantic model: reading, merging, inheritance, schema, diagnostics. Compiling the model lives in
//! `pn-core`, watching files in `pn-control`.

mod checks;
mod diagnostic;
pub mod diff;
mod effective;
mod explain;
pub mod export;
pub mod fmt;
mod fs;
mod htpasswd;
mod inherit;
mod load;
mod lower;
mod parse;
mod read;
pub mod render;
mod resolved;
pub mod rule;
mod schema;
mod sources;
mod units;
mod value;

pub use diagnostic::{Diagnostic, Label, Severity};
pub use fs::{Disk, FileSystem, PathKind};
pub use load::{Format, Input, LoadOptions, Loaded, load};
pub use parse::{Invalid, acme_directory};
pub use sources::{Place, Sources};
pub use value::Span;

#[cfg(test)]
mod tests;
