//! An origin that holds its answers back until the test lets them go.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pn_testkit::{RawOrigin, Wire, wait_until};

/// Answers `/held` once it is released, anything else at once; always with its name. `/tunnel` becomes an echo.
#[derive(Debug)]
pub struct Held {
    origin: RawOrigin,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    released: AtomicBool,
    waiting: AtomicUsize,
}

impl Held {
    pub fn new(name: &str) -> Self {
        let state = Arc::new(State::default());
        let (seen, name) = (Arc::clone(&state), name.to_owned());
        let origin = RawOrigin::start(move |wire| {
            loop {
                let (head, _) = wire.read_request()?;
                if head.contains("/tunnel") {
                    return echo(wire);
                }
                if head.contains("/held") {
                    seen.hold(wire);
                }
                wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len()))?;
            }
        });
        Self { origin, state }
    }

    pub fn addr(&self) -> SocketAddr {
        self.origin.addr()
    }

    /// Waits until so many requests are held.
    #[track_caller]
    pub fn wait_for(&self, count: usize) {
        wait_until("requests to be held", || self.state.waiting.load(Ordering::SeqCst) >= count);
    }

    /// Lets them go, and holds none from now on.
    pub fn release(&self) {
        self.state.released.store(true, Ordering::SeqCst);
    }
}

impl State {
    fn hold(&self, wire: &mut Wire) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        while !self.released.load(Ordering::SeqCst) {
            wire.pause(Duration::from_millis(2));
        }
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

fn echo(wire: &mut Wire) -> std::io::Result<()> {
    wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")?;
    loop {
        let byte = wire.read(1)?;
        wire.send(byte)?;
    }
}
