//! Metrics of the data plane: each worker counts in cells that it alone writes; a scrape sums them.

mod cells;
mod expose;
mod labels;
mod reason;
mod shard;
mod sums;
#[cfg(test)]
mod tests;

pub(crate) use labels::Protocol;
pub(crate) use reason::Reason;
pub(crate) use shard::{Finished, Open, Shard, Shards};

use crate::plane::PlaneState;
use crate::upstream::servers_up;
use expose::{Exposition, Kind};
use pn_core::GraphSource;
use pn_core::graph::SiteId;
use pn_tls::{CertificateStore, OnDemandCounts};
use std::sync::Arc;

/// What the data plane has counted since it began, for whoever shows it.
#[derive(Debug, Clone)]
pub struct Meters {
    shards: Arc<Shards>,
    source: GraphSource,
    certificates: Arc<CertificateStore>,
}

impl Meters {
    pub(crate) fn new(shards: Arc<Shards>, source: GraphSource, certificates: Arc<CertificateStore>) -> Self {
        Self { shards, source, certificates }
    }

    /// Appends all of it in Prometheus' text format, with the names that Traefik gives them where it has them.
    pub fn write(&self, out: &mut String) {
        let mut page = Exposition::new(out);
        self.shards.sum().write(&mut page);
        self.write_graph(&mut page);
        self.write_on_demand(&mut page);
    }

    /// What is read off the running graph.
    fn write_graph(&self, page: &mut Exposition<'_>) {
        let current = self.source.current();
        let graph = current.graph();
        page.family(
            "traefik_service_server_up",
            Kind::Gauge,
            "Whether a server is found up by its health checks.",
        );
        for (service, url, up) in servers_up(graph) {
            page.sample("", &[("service", service), ("url", url)], f64::from(u8::from(up)));
        }
        page.family("router_rules", Kind::Gauge, "Rules that a request of the listener may meet.");
        for listener in graph.listeners() {
            let name = listener.name().as_str();
            let sites = (0..).map(SiteId).zip(graph.sites()).filter(|(_, site)| site.served_on(name));
            let rules: usize = sites.map(|(id, _)| graph.router().rules_of(id.0)).sum();
            page.sample("", &[("listener", name)], rules as f64);
        }
        if let Some(log) = current.prepared::<PlaneState>().and_then(|state| state.access_log.as_ref()) {
            let help = "Lines of the access log that were dropped because they could not be written in time.";
            page.family("access_log_dropped_total", Kind::Counter, help);
            page.sample("", &[], log.dropped() as f64);
        }
    }

    /// Of names that clients bring: without the names, which clients choose.
    fn write_on_demand(&self, page: &mut Exposition<'_>) {
        let Some(counts) = self.certificates.on_demand_counts() else { return };
        let OnDemandCounts { allowed, denied, unanswered, turned_away, obtained, failed } = counts;
        let help = "Names that clients brought and that had no certificate, by what became of them.";
        page.family("on_demand_names_total", Kind::Counter, help);
        for (result, count) in [
            ("allowed", allowed),
            ("denied", denied),
            ("unanswered", unanswered),
            ("turned-away", turned_away),
            ("obtained", obtained),
            ("failed", failed),
        ] {
            page.sample("", &[("result", result)], count as f64);
        }
    }
}
