//! Text to semantic model: reading, merging, inheritance, schema, diagnostics. Compiling the model lives in
//! `pn-core`, watching files in `pn-control`.

mod diagnostic;
mod lower;
mod parse;
mod resolved;
pub mod rule;
mod schema;
mod sources;
mod units;
mod value;

pub use diagnostic::{Diagnostic, Label, Severity};
pub use parse::Invalid;
pub use sources::{Place, Sources};
pub use value::Span;
