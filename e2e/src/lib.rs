//! Black-box tests: each file in `tests/` is one subject and starts the real binary (`pn_testkit::Proxy`) between real
//! or hand-written peers. Nothing of the proxy's own crates is linked in; what several subjects share lives here.

mod front;
mod held;

pub use front::{Front, LISTENERS};
pub use held::Held;
pub use pn_testkit::{Seen, read_request, requests};
