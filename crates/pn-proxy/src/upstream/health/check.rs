//! One server's check: asked at once, then at its interval, and what the answers in a row mean.

use super::probe;
use crate::upstream::dial::Target;
use crate::upstream::names::Names;
use pn_core::graph::ServerNode;
use pn_core::state::ServerState;
use pn_model::Transport;
use pn_model::service::{HealthCheck, Probe, Server, UpstreamAddress};
use rustls::ClientConfig;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

pub(super) struct Check {
    pub(super) state: Arc<ServerState>,
    service: Arc<str>,
    label: Arc<str>,
    pub(super) server: Server,
    pub(super) spec: HealthCheck,
    transport: Arc<Transport>,
    tls: Option<Arc<ClientConfig>>,
}

/// Equal checks ask the same in the same way.
impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        self.server == other.server
            && self.spec == other.spec
            && self.transport == other.transport
            && self.tls.as_ref().map(Arc::as_ptr) == other.tls.as_ref().map(Arc::as_ptr)
    }
}

impl Check {
    pub(super) fn new(
        service: &Arc<str>,
        node: &ServerNode,
        spec: &HealthCheck,
        transport: &Arc<Transport>,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Self {
        Self {
            state: Arc::clone(&node.state),
            service: Arc::clone(service),
            label: Arc::clone(&node.label),
            server: with_port(&node.spec, spec.port),
            spec: spec.clone(),
            transport: Arc::clone(transport),
            tls: tls.cloned(),
        }
    }

    pub(super) async fn run(self: Rc<Self>, names: Rc<Names>) {
        let target = Target::new(&self.server, &self.transport, self.tls.as_ref());
        let target = if matches!(self.spec.probe, Probe::Grpc { .. }) { target.over_h2() } else { target };
        let mut streak = Streak::default();
        let mut spread = Spread::new(&self.label);
        // The first pause is of any length up to the interval, so that servers are not all asked at once for ever.
        let mut pause = self.spec.interval.mul_f64(spread.next());
        loop {
            let asked = tokio::time::timeout(self.spec.timeout, probe::ask(&self, &target, &names)).await;
            let answer = asked.unwrap_or_else(|_| Err(format!("no answer in {:?}", self.spec.timeout)));
            self.judge(&mut streak, answer);
            tokio::time::sleep(pause).await;
            pause = self.spec.interval.mul_f64(0.9 + spread.next() / 5.0).max(Duration::from_millis(1));
        }
    }

    fn judge(&self, streak: &mut Streak, answer: Result<(), String>) {
        let up = self.state.healthy.load(Relaxed);
        let count = streak.note(answer.is_ok());
        let (service, server) = (&*self.service, &*self.label);
        match answer {
            Ok(()) if !up && count >= self.spec.passes => {
                self.state.healthy.store(true, Relaxed);
                tracing::info!(service, server, "server is up");
            }
            Err(cause) if up && count >= self.spec.fails => {
                self.state.healthy.store(false, Relaxed);
                tracing::warn!(service, server, cause, "server is down");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

fn with_port(server: &Server, other: Option<u16>) -> Server {
    let mut server = server.clone();
    if let Some(other) = other {
        match &mut server.address {
            UpstreamAddress::Socket(address) => address.set_port(other),
            UpstreamAddress::Name { port, .. } => *port = other,
            UpstreamAddress::Unix(_) => {}
        }
    }
    server
}

/// Answers of one kind in a row.
#[derive(Default)]
struct Streak {
    good: bool,
    count: u32,
}

impl Streak {
    /// How many there are now, this one included.
    fn note(&mut self, good: bool) -> u32 {
        self.count = if self.good == good { self.count.saturating_add(1) } else { 1 };
        self.good = good;
        self.count
    }
}

/// Numbers in [0, 1), other ones for every server.
struct Spread(u64);

impl Spread {
    fn new(name: &str) -> Self {
        Self(
            name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
            }),
        )
    }

    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }
}
