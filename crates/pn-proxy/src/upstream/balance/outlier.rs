//! Passive ejection: a server that fails requests is left alone for a while.

use pn_core::graph::ServersNode;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Records at `now` that a server failed a request: no connection, a broken one, no answer in time, none that can be
/// understood, or 502, 503, 504, which is what a server says that cannot serve. Other errors of an application say
/// nothing about its server. The last server that is there is never ejected.
pub(in crate::upstream) fn failed(service: &ServersNode, label: &str, index: usize, now: u64) {
    let (Some(outlier), Some(server)) = (&service.spec.outlier, service.servers.get(index)) else { return };
    let state = &server.state;
    if state.failures.record(now, nanos(outlier.window)) < outlier.failures || !state.available(now) {
        return;
    }
    let others = service.servers.iter().enumerate().filter(|&(other, _)| other != index);
    let mut others = others.filter(|(_, node)| node.spec.weight > 0 && node.state.available(now));
    if others.next().is_none() {
        return;
    }
    state.ejected_until.store(now.saturating_add(nanos(outlier.eject)), Relaxed);
    state.failures.clear();
    tracing::warn!(
        service = label,
        server = &*server.label,
        failures = outlier.failures,
        for_seconds = outlier.eject.as_secs_f64(),
        "server ejected for failing requests"
    );
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
