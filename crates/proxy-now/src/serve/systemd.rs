//! What systemd is told (`Type=notify-reload`, `WatchdogSec=`). Without systemd nothing happens.

use sd_notify::NotifyState;
use std::time::Duration;

pub(super) fn ready(generation: u64) {
    let status = format!("serving generation {generation}");
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "systemd was not told of the reload"),
    }
}

pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often to say that the process is alive; half of what systemd allows.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|most| most / 2)
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd was not told");
    }
}
