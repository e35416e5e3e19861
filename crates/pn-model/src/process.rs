//! Process-wide settings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What of it cannot change live waits for a restart: `workers`, `state-dir` and `certificate-store`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    /// 0: one a core.
    pub workers: u32,
    pub router: RouterChoice,
    pub rule_priority: RulePriority,
    /// `None`: `/var/lib/proxy-now` for root, else by XDG.
    pub state_dir: Option<PathBuf>,
    /// Where issued certificates and ACME accounts are kept; several processes may share it. `None`: `certificates` in
    /// the state directory.
    pub certificate_store: Option<PathBuf>,
    /// How many accepted graphs are kept for a rollback.
    pub history: u32,
    /// How long changes of files are gathered before they are read.
    pub debounce: Duration,
    /// Whether changes of files are taken live without being told.
    pub watch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RouterChoice {
    /// By the measured number of routes at which the compiled matcher wins.
    #[default]
    Auto,
    Compiled,
    Sequential,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RulePriority {
    /// Host, then path, then conditions.
    #[default]
    Specificity,
    /// Traefik's: all rules in one list by the length of their text.
    Length,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    pub address: AdminAddress,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    pub level: LogLevel,
    pub format: LogFormat,
    /// `None`: no access log.
    pub access: Option<AccessLog>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Coloured text on a terminal, JSON elsewhere.
    Auto,
    Text,
    Json,
}

/// JSON, one object a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// `None`: standard output.
    pub file: Option<PathBuf>,
    /// Only these, or all when empty.
    pub status: Vec<(u16, u16)>,
    /// Only requests that took at least this long.
    pub min_duration: Duration,
    /// Request fields that are logged by name, lower-case.
    pub headers: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// Upper bounds of the duration histograms, in seconds, ascending.
    pub buckets: Vec<f64>,
    /// Whether requests are counted by route as well (more series).
    pub route_labels: bool,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            workers: 0,
            router: RouterChoice::Auto,
            rule_priority: RulePriority::Specificity,
            state_dir: None,
            certificate_store: None,
            history: crate::limits::HISTORY_DEFAULT,
            debounce: crate::limits::DEBOUNCE_DEFAULT,
            watch: true,
        }
    }
}

impl Default for Logs {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Auto, access: None }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { buckets: crate::limits::DURATION_BUCKETS.to_vec(), route_labels: false }
    }
}
