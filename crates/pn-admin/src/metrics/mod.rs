//! The metrics page: the data plane's series, and those of the configuration, the certificates and the process.

mod certificates;
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
    certificates::write(&mut out, &*views.process);
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

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
