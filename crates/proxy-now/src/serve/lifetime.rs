//! From readiness to the end: what signals mean.

use super::{Serving, systemd};
use crate::output;
use anyhow::Result;
use pn_control::{Control, Outcome, Trigger};
use pn_model::process::AdminAddress;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Longer than any listener's own `timeouts.drain` makes sense.
const DRAIN: Duration = Duration::from_secs(3600);

pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user1: Signal,
}

impl Signals {
    /// Within a runtime.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
        })
    }

    async fn end(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

pub(super) async fn run(serving: Serving, mut signals: Signals) -> Result<ExitCode> {
    let generation = serving.control.status().generation;
    tracing::info!(generation, "ready: {}", addresses(&serving));
    systemd::ready(generation);
    let reason = until_ended(&serving, &mut signals).await;
    tracing::info!("{reason}: no new connections; those that are open finish what they do");
    systemd::stopping();
    serving.lifecycle.drain();
    tokio::select! {
        drained = serving.plane.drain(DRAIN) => tracing::info!(cut = drained.cut, "ended"),
        reason = signals.end() => {
            tracing::warn!("{reason} again: ending at once");
            // The process ends with this thread, whatever others do.
            return Ok(output::FAILED.into());
        }
    }
    serving.thread.stop();
    Ok(ExitCode::SUCCESS)
}

async fn until_ended(serving: &Serving, signals: &mut Signals) -> &'static str {
    let every = systemd::watchdog();
    // Far away where nobody watches.
    let mut alive = tokio::time::interval(every.unwrap_or(Duration::from_secs(24 * 3600)));
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return "SIGTERM",
            _ = signals.interrupt.recv() => return "SIGINT",
            _ = signals.hangup.recv() => drop(tokio::spawn(reload(serving.control.clone()))),
            _ = signals.user1.recv() => serving.reopen_logs(),
            _ = alive.tick() => if every.is_some() { systemd::alive() },
        }
    }
}

/// systemd waits for the end of it, whatever comes of it.
async fn reload(control: Control) {
    systemd::reloading();
    match control.reload(Trigger::Signal).await {
        Ok(Outcome::Committed { .. } | Outcome::Unchanged { .. } | Outcome::Refused(_)) => {}
        Err(error) => tracing::warn!(%error, "no reload"),
    }
    systemd::ready(control.status().generation);
}

impl Serving {
    fn reopen_logs(&self) {
        self.plane.reopen_logs();
        tracing::info!("log files are opened again");
    }
}

/// `web 0.0.0.0:80, websecure 0.0.0.0:443, admin 127.0.0.1:8079`
fn addresses(serving: &Serving) -> String {
    let mut text = String::new();
    let current = serving.source.current();
    for listener in current.graph().listeners() {
        for address in serving.plane.addresses(listener.name()) {
            // Writing to a String cannot fail.
            write!(text, "{} {address}, ", listener.name()).unwrap_or_default();
        }
    }
    match serving.admin.address() {
        Some(AdminAddress::Tcp(address)) => text + &format!("admin {address}"),
        Some(AdminAddress::Unix(path)) => text + &format!("admin unix:{}", path.display()),
        None => text + "no admin address",
    }
}
