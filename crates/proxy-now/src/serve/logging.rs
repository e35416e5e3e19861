//! The log of the process: text for people on a terminal, JSON elsewhere, on standard error. Level and format follow
//! the configuration.

use pn_control::{Change, Follower};
use pn_core::{PrepareError, RouterGraph};
use pn_model::Logs;
use pn_model::process::{LogFormat, LogLevel};
use std::fmt;
use std::io::IsTerminal;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

type Filtered = Layered<reload::Layer<Targets, Registry>, Registry>;
type Form = Box<dyn Layer<Filtered> + Send + Sync>;

pub(crate) struct Logging {
    level: Handle<Targets, Registry>,
    form: Handle<Form, Filtered>,
}

impl Logging {
    pub(super) fn start(logs: &Logs) -> Self {
        let (level, level_handle) = reload::Layer::new(targets(logs.level));
        let (form, form_handle) = reload::Layer::new(form(logs.format));
        // A second log exists only in tests.
        tracing_subscriber::registry().with(level).with(form).try_init().unwrap_or_default();
        Self { level: level_handle, form: form_handle }
    }
}

impl Follower for Logging {
    fn prepare(&self, next: &RouterGraph) -> Result<Change, Vec<PrepareError>> {
        let (level_handle, form_handle) = (self.level.clone(), self.form.clone());
        let (wanted, format) = (targets(next.logs().level), next.logs().format);
        Ok(Box::new(move || {
            // They only fail when the log is gone.
            level_handle.reload(wanted).unwrap_or_default();
            form_handle.reload(form(format)).unwrap_or_default();
        }))
    }
}

/// Clients make rustls warn at will, in their own words: it is heard only by who looks for details. What it says of a
/// handshake is counted, and told of in ours.
fn targets(wanted: LogLevel) -> Targets {
    let level = level(wanted);
    let rustls = if level >= LevelFilter::DEBUG { level } else { LevelFilter::OFF };
    Targets::new().with_default(level).with_target("rustls", rustls)
}

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

fn form(format: LogFormat) -> Form {
    let terminal = std::io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    if json {
        layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    } else {
        layer.with_ansi(terminal && crate::output::coloured()).boxed()
    }
}

impl fmt::Debug for Logging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logging")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn clients_do_not_write_the_log_by_way_of_rustls() {
        for (wanted, ours, theirs) in [
            (LogLevel::Error, false, false),
            (LogLevel::Warn, true, false),
            (LogLevel::Info, true, false),
            (LogLevel::Debug, true, true),
            (LogLevel::Trace, true, true),
        ] {
            let targets = targets(wanted);
            let heard = |target| targets.would_enable(target, &Level::WARN);
            assert_eq!(heard("pn_proxy::conn"), ours, "{wanted:?}");
            assert_eq!(heard("rustls::msgs::handshake"), theirs, "{wanted:?}");
        }
    }
}
