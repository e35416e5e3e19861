//! Instructions of the real binary per request of a fixed script, counted by callgrind. Scripts, the two ends of the
//! connection, and the counting; what is compared with which baseline is `cargo xtask bench gate`'s business.

mod callgrind;
mod client;
mod dump;
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

/// Instructions of user code per request.
#[derive(Debug)]
pub struct Count {
    /// Each of its own window.
    pub windows: [f64; WINDOWS],
    /// Of the last window, by function, without what it calls; the dearest first.
    pub functions: Vec<(String, f64)>,
}

impl Count {
    /// The window in the middle.
    pub fn median(&self) -> f64 {
        let mut windows = self.windows;
        windows.sort_by(f64::total_cmp);
        windows[WINDOWS / 2]
    }
}

/// Starts the proxy as the script wants it, asks, and counts.
pub fn count(script: &Script) -> Result<Count> {
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
    let pid = proxy.peer().pid();
    let mut client = Client::connect(proxy.addr("web"), script);
    callgrind.begin(pid)?;
    client.ask(WARM_UP)?;
    callgrind.take(pid)?;
    let per_request = |instructions: u64| instructions as f64 / f64::from(script.requests);
    let mut count = Count { windows: [0.0; WINDOWS], functions: Vec::new() };
    for window in &mut count.windows {
        client.ask(script.requests)?;
        let dump = callgrind.take(pid)?;
        *window = per_request(dump.total);
        count.functions = dump.functions.into_iter().map(|(name, cost)| (name, per_request(cost))).collect();
    }
    drop(client);
    proxy.stop();
    Ok(count)
}
