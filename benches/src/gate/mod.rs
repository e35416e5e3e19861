//! Instructions of the real binary per request of a fixed script, counted by callgrind. Scripts, the two ends of the
//! connection, and the counting; what is compared with which baseline is `cargo xtask bench gate`'s business.

mod callgrind;
mod client;
mod scripts;
mod upstream;

use anyhow::Result;
use callgrind::Callgrind;
use client::Client;
use pn_testkit::{Authority, Proxy};
use upstream::Upstream;

pub use scripts::{SCRIPTS, Script};

/// Enough that pools are full and caches are filled.
const WARM_UP: u32 = 200;
/// The median of so many counts counts: a timer that fires falls into one of them.
const WINDOWS: usize = 3;

/// Instructions of user code per request, each figure of its own window.
pub fn count(script: &Script) -> Result<[f64; WINDOWS]> {
    let upstream = Upstream::start(script.answer)?;
    let authority = Authority::new();
    let identity = authority.server(&[scripts::HOST]);
    let callgrind = Callgrind::new();
    let proxy = Proxy::setup()
        .set("upstream", upstream.address())
        .set("cert", identity.certificate.display())
        .set("key", identity.key.display())
        .started_by("valgrind", &callgrind.arguments())
        .start(&(script.config)());
    let mut client = Client::connect(proxy.addr("web"), script);
    callgrind.begin(proxy.peer().pid())?;
    client.ask(WARM_UP)?;
    let mut counts = [0.0; WINDOWS];
    callgrind.take(proxy.peer().pid())?;
    for count in &mut counts {
        client.ask(script.requests)?;
        *count = callgrind.take(proxy.peer().pid())? as f64 / f64::from(script.requests);
    }
    drop(client);
    proxy.stop();
    Ok(counts)
}

/// The one in the middle.
pub fn median(mut counts: [f64; WINDOWS]) -> f64 {
    counts.sort_by(f64::total_cmp);
    counts[WINDOWS / 2]
}
