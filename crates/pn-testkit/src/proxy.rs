//! The real proxy-now binary, started with a configuration, watched and changed through its own interfaces.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::folder::Folder;
use crate::metrics::Metrics;
use crate::port::free_port;
use crate::process::{Finished, Peer, Signal};
use crate::session::{Reply, Session, request};
use crate::wait::{PATIENCE, wait_for};

const FILE: &str = "site.toml";
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

/// What surrounds the proxy before it starts: files, names, environment.
///
/// In a configuration, `<port:NAME>` stands for a free port that keeps its number as long as the setup lives, `<dir>`
/// for its folder, and `<NAME>` for what [`Setup::set`] gave. `[admin]` and `runtime.state-dir` are added unless the
/// text has them.
#[derive(Debug)]
pub struct Setup {
    folder: Folder,
    names: BTreeMap<String, String>,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    admin: SocketAddr,
}

impl Setup {
    pub fn new() -> Self {
        let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let folder = Folder::new();
        let names = BTreeMap::from([("dir".to_owned(), folder.path().display().to_string())]);
        Self { folder, names, environment: Vec::new(), arguments: Vec::new(), admin }
    }

    /// `<NAME>` in the configuration becomes this.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.names.insert(name.to_owned(), value.to_string());
        self
    }

    /// A file beside the configuration.
    #[must_use]
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.folder.write(name, content);
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One more argument of `proxy-now run`.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Starts the proxy and waits until it is ready; panics with what it printed when it ends instead.
    #[track_caller]
    pub fn start(mut self, config: &str) -> Proxy {
        self.write(config);
        let peer = Peer::start("proxy-now", &self.run_command());
        let proxy = Proxy { peer, setup: self, text: config.to_owned() };
        proxy.wait_until_ready();
        proxy
    }

    /// Starts the proxy with a configuration that it must refuse; panics when it runs instead.
    #[track_caller]
    pub fn refuse(&mut self, config: &str) -> Finished {
        self.write(config);
        let finished = Peer::run("proxy-now", &self.run_command(), PATIENCE);
        assert!(!finished.status.success(), "it accepted that: {finished:?}");
        finished
    }

    /// Runs another subcommand in the folder, with this configuration as `site.toml`.
    #[track_caller]
    pub fn command(&mut self, arguments: &[&str], config: &str) -> Finished {
        self.write(config);
        Peer::run("proxy-now", self.binary().args(arguments), PATIENCE)
    }

    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The port that `<port:NAME>` stands for.
    pub fn port(&mut self, name: &str) -> u16 {
        let port = self.names.entry(format!("port:{name}")).or_insert_with(|| free_port().to_string());
        port.parse().expect("a port")
    }

    fn write(&mut self, config: &str) {
        let text = self.filled(config);
        self.folder.write(FILE, text);
    }

    /// The text with every `<name>` replaced, and with what the kit needs to see inside.
    fn filled(&mut self, config: &str) -> String {
        let mut text = with_kit(config, self.admin);
        while let Some((_, rest)) = text.split_once("<port:") {
            let name = rest.split('>').next().unwrap_or_default().to_owned();
            let port = self.port(&name);
            text = text.replace(&format!("<port:{name}>"), &port.to_string());
        }
        for (name, value) in &self.names {
            text = text.replace(&format!("<{name}>"), value);
        }
        text
    }

    fn run_command(&self) -> Command {
        let mut command = self.binary();
        command.arg("run").args(&self.arguments).arg(FILE);
        command
    }

    /// The binary in our folder, which is its home too: it must not find what the user has.
    fn binary(&self) -> Command {
        let mut command = Command::new(binary());
        command.current_dir(self.folder.path());
        for name in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
            command.env(name, self.folder.path());
        }
        for name in ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "RUST_LOG"] {
            command.env_remove(name);
        }
        command.env("RUST_BACKTRACE", "1").env("NO_COLOR", "1");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
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
        let port = self.setup.names.get(&format!("port:{name}"));
        let port = port.unwrap_or_else(|| panic!("the configuration has no <port:{name}>"));
        SocketAddr::from(([127, 0, 0, 1], port.parse().expect("a port")))
    }

    /// A GET over plain HTTP/1.1, on a connection of its own.
    #[track_caller]
    pub fn get(&self, listener: &str, host: &str, path: &str) -> Reply {
        Session::http1(self.addr(listener)).get(host, path)
    }

    pub fn admin(&self) -> SocketAddr {
        self.setup.admin
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

/// Adds the admin address and a state folder unless the text has its own.
fn with_kit(config: &str, admin: SocketAddr) -> String {
    const STATE: &str = "state-dir = \"<dir>/state\"\n";
    let mut text = config.to_owned();
    if !text.contains("[admin]") {
        text.push_str(&format!("\n[admin]\naddress = \"{admin}\"\n"));
    }
    if text.contains("state-dir") {
        return text;
    }
    if text.contains("[runtime]\n") {
        return text.replacen("[runtime]\n", &format!("[runtime]\n{STATE}"), 1);
    }
    text.push_str(&format!("\n[runtime]\n{STATE}"));
    text
}

/// `$PROXY_NOW_BIN`, or what cargo built into the folder where it built this test.
fn binary() -> PathBuf {
    if let Some(path) = env::var_os("PROXY_NOW_BIN") {
        return path.into();
    }
    let test = env::current_exe().expect("the path of this test");
    let folder = test.ancestors().find(|folder| folder.join("proxy-now").is_file());
    folder.map(|folder: &Path| folder.join("proxy-now")).expect("no binary: cargo build -p proxy-now")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_ports_keep_their_number() {
        let mut setup = Setup::new().set("origin", "127.0.0.1:9");
        let text = setup
            .filled("[runtime]\nworkers = 1\na = \"<port:web>\"\nb = \"<port:web>\"\nto = \"<origin>\"\n");
        let port = setup.port("web");
        let dir = setup.folder().path().display();
        let admin = setup.admin;
        let expected = format!(
            "[runtime]\nstate-dir = \"{dir}/state\"\nworkers = 1\na = \"{port}\"\nb = \"{port}\"\n\
             to = \"127.0.0.1:9\"\n\n[admin]\naddress = \"{admin}\"\n"
        );
        assert_eq!(text, expected);
    }

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
