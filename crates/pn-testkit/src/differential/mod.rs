//! A proxy beside the oracle, a proxy made of hyper's HTTP/1: the same bytes to both, and what the upstream and the client
//! see of it. What they see differently is listed ([`KNOWN`]), and wanted; anything else is a fault of one of them. For
//! the tests of the product and for its fuzz target. How heads and bodies are read in detail is compared without sockets,
//! beside the codec.

mod compare;
mod corpus;
mod known;
mod oracle;
mod origin;
mod stage;

pub use compare::{Difference, Kind, compare};
pub use corpus::{Input, Row, choose, rows};
pub use known::{KNOWN, Known};
pub use origin::Recorder;
pub use stage::{Stage, Told};
