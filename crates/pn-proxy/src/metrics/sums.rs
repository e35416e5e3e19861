//! The sum of all shards, and how it is shown.

use super::cells::Durations;
use super::expose::{Exposition, Kind};
use super::labels::Labels;
use super::reason::Reason;
use super::shard::{Name, Scope};
use std::collections::BTreeMap;

/// Series by name, summed.
#[derive(Default)]
pub(crate) struct Sums(BTreeMap<Name, Sum>);

#[derive(Default)]
struct Sum {
    open: u64,
    retries: u64,
    panics: u64,
    handshakes: [u64; Reason::ALL.len()],
    lookups: Durations,
    traffic: BTreeMap<Labels, TrafficSum>,
    tls: BTreeMap<(&'static str, &'static str), u64>,
}

#[derive(Default)]
struct TrafficSum {
    requests: u64,
    received: u64,
    sent: u64,
    durations: Durations,
}

impl Sum {
    fn add(&mut self, scope: &Scope) {
        self.open += scope.open.get();
        self.retries += scope.retries.get();
        self.panics += scope.panics.get();
        self.handshakes.iter_mut().zip(&scope.handshakes).for_each(|(sum, count)| *sum += count.get());
        scope.lookups.add_to(&mut self.lookups);
        let series = scope.lock();
        for traffic in &series.traffic {
            let sum = self.traffic.entry(traffic.labels).or_default();
            sum.requests += traffic.requests.get();
            sum.received += traffic.received.get();
            sum.sent += traffic.sent.get();
            traffic.durations.add_to(&mut sum.durations);
        }
        for tls in &series.tls {
            *self.tls.entry((tls.version, tls.cipher)).or_default() += tls.requests.get();
        }
    }
}

impl Sums {
    pub(super) fn add(&mut self, name: &Name, scope: &Scope) {
        self.0.entry(name.clone()).or_default().add(scope);
    }

    pub(crate) fn write(&self, page: &mut Exposition<'_>) {
        for (prefix, is) in [("entrypoint", 0), ("router", 1), ("service", 2)] {
            let scopes: Vec<_> = self.0.iter().filter(|(name, _)| name.rank() == is).collect();
            if !scopes.is_empty() {
                write_traffic(page, prefix, &scopes);
            }
        }
        self.write_rest(page);
    }

    fn write_rest(&self, page: &mut Exposition<'_>) {
        let of = |rank| self.0.iter().filter(move |(name, _)| name.rank() == rank);
        page.family("traefik_open_connections", Kind::Gauge, "Open client connections.");
        of(0).for_each(|(name, sum)| {
            page.sample("", &[name.label(), ("protocol", "TCP")], sum.open as f64);
        });
        page.family("traefik_service_retries_total", Kind::Counter, "Attempts at another server.");
        of(2).for_each(|(name, sum)| page.sample("", &[name.label()], sum.retries as f64));
        page.family(
            "router_lookup_seconds",
            Kind::Histogram,
            "Time to find the route of a request, sampled.",
        );
        of(0).for_each(|(name, sum)| {
            page.histogram(&[("listener", name.label().1)], &sum.lookups);
        });
        let help = "TLS handshakes that did not come about.";
        page.family("tls_handshake_failures_total", Kind::Counter, help);
        of(0).for_each(|(name, sum)| {
            for (reason, count) in Reason::ALL.iter().zip(sum.handshakes).filter(|(_, count)| *count > 0) {
                page.sample("", &[name.label(), ("reason", reason.as_str())], count as f64);
            }
        });
        page.family("panics_total", Kind::Counter, "Connections and streams lost to a fault of the proxy.");
        of(0).for_each(|(name, sum)| page.sample("", &[name.label()], sum.panics as f64));
    }
}

fn write_traffic(page: &mut Exposition<'_>, prefix: &str, scopes: &[(&Name, &Sum)]) {
    let each = |write: &mut dyn FnMut(&[(&str, &str)], &TrafficSum)| {
        for (name, sum) in scopes {
            for (labels, traffic) in &sum.traffic {
                let code = labels.code.to_string();
                let mut all =
                    vec![("code", &*code), ("method", labels.method()), ("protocol", labels.protocol())];
                name.push_to(&mut all);
                write(&all, traffic);
            }
        }
    };
    page.family(&format!("traefik_{prefix}_requests_total"), Kind::Counter, "Requests answered.");
    each(&mut |labels, traffic| page.sample("", labels, traffic.requests as f64));
    let help = "From the end of a request's head to the end of its response.";
    page.family(&format!("traefik_{prefix}_request_duration_seconds"), Kind::Histogram, help);
    each(&mut |labels, traffic| page.histogram(labels, &traffic.durations));
    page.family(&format!("traefik_{prefix}_requests_bytes_total"), Kind::Counter, "Bytes of request bodies.");
    each(&mut |labels, traffic| page.sample("", labels, traffic.received as f64));
    page.family(
        &format!("traefik_{prefix}_responses_bytes_total"),
        Kind::Counter,
        "Bytes of response bodies.",
    );
    each(&mut |labels, traffic| page.sample("", labels, traffic.sent as f64));
    page.family(&format!("traefik_{prefix}_requests_tls_total"), Kind::Counter, "Requests over TLS.");
    for (name, sum) in scopes {
        for ((version, cipher), requests) in &sum.tls {
            // `1.3`, as Traefik has it.
            let mut all = vec![("tls_version", version.trim_start_matches("TLSv")), ("tls_cipher", *cipher)];
            name.push_to(&mut all);
            page.sample("", &all, *requests as f64);
        }
    }
}

impl Name {
    fn rank(&self) -> u8 {
        match self {
            Self::Entrypoint(_) => 0,
            Self::Router { .. } => 1,
            Self::Service(_) => 2,
        }
    }

    fn label(&self) -> (&'static str, &str) {
        match self {
            Self::Entrypoint(name) => ("entrypoint", name),
            Self::Router { router, .. } => ("router", router),
            Self::Service(name) => ("service", name),
        }
    }

    fn push_to<'a>(&'a self, labels: &mut Vec<(&str, &'a str)>) {
        labels.push(self.label());
        if let Self::Router { service, .. } = self {
            labels.push(("service", service));
        }
    }
}
