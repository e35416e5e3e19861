//! Contexts, version 1: all that a middleware or plugin ever sees of an exchange. How they hold it is hidden, so that
//! the engine beneath can change.

mod extensions;
mod request;
mod response;

pub use extensions::{Extensions, Places};
pub use pn_http1::{FieldLine, FieldList, FieldValue, Known, KnownSet};
pub use request::{Connection, RequestContext, RequestHead, Scheme};
pub use response::ResponseContext;

/// The version of this boundary. It changes when something is taken away or changes its meaning.
pub const CONTEXT_VERSION: u32 = 1;
