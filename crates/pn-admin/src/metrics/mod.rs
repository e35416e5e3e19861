//! The metrics page: the data plane's series, and those of the configuration, the certificates and the process.

mod exposition;
mod process;

use crate::views::Views;
use exposition::{Exposition, Kind};
use pn_control::Status;
use std::time::{SystemTime, UNIX_EPOCH};

/// Prometheus' text format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn text(views: &Views) -> String {
    let mut out = Exposition::default();
    configuration(&mut out, &views.status.read());
    certificates(&mut out, views);
    process::write(&mut out, views.lifecycle.started);
    let mut text = out.finish();
    views.process.metrics(&mut text);
    text
}

fn configuration(out: &mut Exposition, status: &Status) {
    let success = status.last_reload.as_ref().is_some_and(|reload| reload.success);
    out.one(
        "config_generation",
        Kind::Gauge,
        "Number of the running configuration.",
        status.generation as f64,
    );
    out.one(
        "config_last_reload_success",
        Kind::Gauge,
        "Whether the last attempt to change the configuration was accepted.",
        f64::from(u8::from(success)),
    );
    out.family("config_reloads_total", Kind::Counter, "Attempts to change the configuration.");
    out.sample("config_reloads_total", &[("result", "accepted")], status.reloads as f64);
    out.sample("config_reloads_total", &[("result", "refused")], status.refusals as f64);
    let pending = status.pending_restart.len() as f64;
    out.one("config_pending_restart", Kind::Gauge, "Settings that wait for a restart.", pending);
    out.one(
        "traefik_config_reloads_total",
        Kind::Counter,
        "Config reloads.",
        (status.reloads + status.refusals) as f64,
    );
    out.one(
        "traefik_config_last_reload_success",
        Kind::Gauge,
        "Last config reload success, as a Unix timestamp.",
        status.last_success.map_or(0.0, seconds),
    );
}

fn certificates(out: &mut Exposition, views: &Views) {
    out.family("traefik_tls_certs_not_after", Kind::Gauge, "When a certificate ends, as a Unix timestamp.");
    // Names that clients chose are no labels: whoever asks for many would fill the memory of whoever scrapes.
    let (on_demand, wanted): (Vec<_>, Vec<_>) =
        views.process.certificates().into_iter().partition(|certificate| certificate.on_demand);
    for certificate in wanted {
        let cn = certificate.names.first().map_or("", String::as_str);
        let sans = certificate.names.join(",");
        out.sample(
            "traefik_tls_certs_not_after",
            &[("cn", cn), ("serial", &certificate.serial), ("sans", &sans)],
            certificate.not_after as f64,
        );
    }
    out.one(
        "tls_certs_on_demand",
        Kind::Gauge,
        "Certificates held for names under wildcards that clients asked for.",
        on_demand.len() as f64,
    );
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
