//! The real proxy-now binary, started with a configuration, watched and changed through its own interfaces.

mod setup;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::folder::Folder;
use crate::metrics::Metrics;
use crate::process::{Finished, Peer, Signal};
use crate::session::{Reply, Session, request};
use crate::wait::wait_for;

pub use setup::Setup;

/// Its `drain` timeout is 30 s unless the configuration says less.
const END: Duration = Duration::from_secs(40);

/// A running proxy. Dropping it ends it.
pub struct Proxy {
    peer: Peer,
    setup: Setup,
    text: String,
}

/// What became of a changed configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// Its generation number.
    Accepted(u64),
    /// Why not.
    Refused(String),
}

impl Proxy {
    pub fn setup() -> Setup {
        Setup::new()
    }

    /// Starts it with a configuration that needs nothing around it.
    #[track_caller]
    pub fn start(config: &str) -> Self {
        Setup::new().start(config)
    }

    /// Where `<port:NAME>` of the configuration is.
    #[track_caller]
    pub fn addr(&self, name: &str) -> SocketAddr {
        let port = self.setup.known_port(name);
        let port = port.unwrap_or_else(|| panic!("the configuration has no <port:{name}>"));
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// A GET over plain HTTP/1.1, on a connection of its own.
    #[track_caller]
    pub fn get(&self, listener: &str, host: &str, path: &str) -> Reply {
        Session::http1(self.addr(listener)).get(host, path)
    }

    pub fn admin(&self) -> SocketAddr {
        self.setup.admin()
    }

    /// Asks the admin API.
    #[track_caller]
    pub fn ask_admin(&self, method: &str, path: &str) -> Reply {
        Session::http1(self.admin()).send(request(method, &self.admin().to_string(), path))
    }

    #[track_caller]
    pub fn metrics(&self) -> Metrics {
        Metrics::parse(&self.ask_admin("GET", "/metrics").text())
    }

    /// `/api/status`.
    #[track_caller]
    pub fn status(&self) -> Value {
        self.ask_admin("GET", "/api/status").json()
    }

    #[track_caller]
    pub fn generation(&self) -> u64 {
        self.status()["generation"].as_u64().expect("a generation in the status")
    }

    /// Writes the configuration, asks for a reload, and waits for what becomes of it.
    #[track_caller]
    pub fn reload(&mut self, config: &str) -> Reload {
        self.change(config, |proxy| Some(proxy.ask_admin("POST", "/api/reload")))
    }

    /// The same by SIGHUP.
    #[track_caller]
    pub fn reload_by_signal(&mut self, config: &str) -> Reload {
        self.change(config, |proxy| {
            proxy.peer.signal(Signal::HUP);
            None
        })
    }

    /// Writes the configuration and leaves it to the proxy to notice.
    #[track_caller]
    pub fn reload_by_watch(&mut self, config: &str) -> Reload {
        self.change(config, |_| None)
    }

    /// The same as [`Self::reload`]; panics when it is refused.
    #[track_caller]
    pub fn reload_accepted(&mut self, config: &str) -> u64 {
        match self.reload(config) {
            Reload::Accepted(generation) => generation,
            Reload::Refused(why) => panic!("the reload was refused: {why}"),
        }
    }

    /// The same as [`Self::reload`]; panics when it is accepted. Returns why not.
    #[track_caller]
    pub fn reload_refused(&mut self, config: &str) -> String {
        match self.reload(config) {
            Reload::Refused(why) => why,
            Reload::Accepted(generation) => panic!("the reload was accepted as generation {generation}"),
        }
    }

    /// Runs another subcommand beside it, in its folder.
    #[track_caller]
    pub fn command(&self, arguments: &[&str]) -> Finished {
        self.setup.ask(arguments)
    }

    /// All it printed so far.
    pub fn log(&self) -> String {
        self.peer.log()
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    pub fn folder(&self) -> &Folder {
        self.setup.folder()
    }

    /// Asks it to end, by SIGTERM, and waits; panics when it does not.
    #[track_caller]
    pub fn stop(self) -> Finished {
        self.peer.terminate(END)
    }

    /// Waits for the end that it was asked for by a signal; another one would cut that short.
    #[track_caller]
    pub fn ended(self) -> Finished {
        self.peer.finish(END)
    }

    #[track_caller]
    fn change(&mut self, config: &str, ask: impl FnOnce(&Self) -> Option<Reply>) -> Reload {
        let before = self.status();
        if self.text == config {
            return Reload::Accepted(before["generation"].as_u64().unwrap_or_default());
        }
        config.clone_into(&mut self.text);
        self.setup.write(config);
        if let Some(reply) = ask(self).filter(|reply| reply.status >= 400) {
            return Reload::Refused(reply.text());
        }
        wait_for("the proxy to take or refuse the configuration", || outcome(&before, &self.status()))
    }

    #[track_caller]
    fn ready(peer: Peer, setup: Setup, config: &str) -> Self {
        let proxy = Self { peer, setup, text: config.to_owned() };
        proxy.wait_until_ready();
        proxy
    }

    #[track_caller]
    fn wait_until_ready(&self) {
        wait_for("the proxy to be ready", || {
            assert!(self.peer.is_running(), "{:?}", self.peer);
            std::net::TcpStream::connect(self.admin()).ok()?;
            (self.ask_admin("GET", "/ping").status == 200).then_some(())
        });
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peer.fmt(f)
    }
}

/// `None` while nothing has changed since before.
fn outcome(before: &Value, now: &Value) -> Option<Reload> {
    if now["generation"] != before["generation"] {
        return Some(Reload::Accepted(now["generation"].as_u64()?));
    }
    let last = &now["last_reload"];
    let failed = last["success"] == Value::Bool(false) && *last != before["last_reload"];
    failed.then(|| Reload::Refused(last["error"].to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_is_over_when_the_status_says_so() {
        let status = |generation: u64, success: bool, error: &str| serde_json::json!({"generation": generation, "last_reload": {"success": success, "error": error}});
        let rows = [
            (status(1, true, ""), status(1, true, ""), None),
            (status(1, true, ""), status(2, true, ""), Some(Reload::Accepted(2))),
            (status(1, true, ""), status(1, false, "x"), Some(Reload::Refused("\"x\"".to_owned()))),
            (status(1, false, "x"), status(1, false, "x"), None),
            (status(1, false, "x"), status(2, true, ""), Some(Reload::Accepted(2))),
        ];
        for (before, now, expected) in rows {
            assert_eq!(outcome(&before, &now), expected, "{before} {now}");
        }
    }
}
