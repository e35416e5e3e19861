//! What surrounds the binary before it starts, and how it is started.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Proxy;
use crate::folder::Folder;
use crate::port::free_port;
use crate::process::{Finished, Peer, find_program};
use crate::wait::PATIENCE;

const FILE: &str = "site.toml";

/// What surrounds the proxy before it starts: files, names, environment.
///
/// In a configuration, `<port:NAME>` stands for a free port that keeps its number as long as the setup lives, `<dir>`
/// for its folder, and `<NAME>` for what [`Setup::set`] gave. `[admin]` and `runtime.state-dir` are added unless the
/// text has them.
#[derive(Debug)]
pub struct Setup {
    folder: Folder,
    /// What `run` is given.
    config: &'static str,
    /// A program that starts the proxy, and its arguments.
    starter: Vec<String>,
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
        let (config, starter) = (FILE, Vec::new());
        Self { folder, config, starter, names, environment: Vec::new(), arguments: Vec::new(), admin }
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

    /// A clock that is ahead or behind by so much, such as `+61d` or `-10y`, as libfaketime reads it. Time goes by as
    /// ever.
    #[must_use]
    pub fn clock(self, offset: &str) -> Self {
        self.faked("FAKETIME", offset)
    }

    /// The same, from a file that may change: it is read again each second.
    #[must_use]
    pub fn clock_of(self, file: &Path) -> Self {
        self.faked("FAKETIME_TIMESTAMP_FILE", &file.display().to_string()).env("FAKETIME_CACHE_DURATION", "1")
    }

    fn faked(self, name: &str, value: &str) -> Self {
        let library = preloaded("faketime/libfaketime.so.1");
        self.env("LD_PRELOAD", &library).env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env(name, value)
    }

    /// One more argument of `proxy-now run`.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Runs the folder `conf`, in which the configuration is `conf/site.toml`, instead of a file.
    #[must_use]
    pub fn directory(mut self) -> Self {
        self.config = "conf";
        self
    }

    /// Starts the proxy by another program, such as `prlimit`, that runs what follows its own arguments.
    #[must_use]
    pub fn started_by(mut self, program: &str, arguments: &[impl AsRef<str>]) -> Self {
        self.starter = vec![find_program(program).display().to_string()];
        self.starter.extend(arguments.iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Starts the proxy and waits until it is ready; panics with what it printed when it ends instead.
    #[track_caller]
    pub fn start(mut self, config: &str) -> Proxy {
        self.write(config);
        let peer = Peer::start("proxy-now", &self.run_command());
        Proxy::ready(peer, self, config)
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
        self.ask(arguments)
    }

    /// Runs another subcommand in the folder as it is.
    #[track_caller]
    pub fn ask(&self, arguments: &[&str]) -> Finished {
        Peer::run("proxy-now", self.binary(&[]).args(arguments), PATIENCE)
    }

    /// Starts another subcommand in the folder, with this configuration as `site.toml`, and waits for nothing.
    #[track_caller]
    pub fn launch(&mut self, arguments: &[&str], config: &str) -> Peer {
        self.write(config);
        Peer::start("proxy-now", self.binary(&self.starter).args(arguments))
    }

    /// Where the binary is, for programs that start it themselves.
    pub fn binary_path() -> PathBuf {
        binary()
    }

    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The port that `<port:NAME>` stands for.
    pub fn port(&mut self, name: &str) -> u16 {
        let port = self.names.entry(format!("port:{name}")).or_insert_with(|| free_port().to_string());
        port.parse().expect("a port")
    }

    pub(super) fn write(&mut self, config: &str) {
        let text = self.filled(config);
        let inside = if self.config == FILE { "" } else { "conf/" };
        self.folder.write(&format!("{inside}{FILE}"), text);
    }

    pub(super) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The port that `<port:NAME>` stands for, when it was in the configuration.
    pub(super) fn known_port(&self, name: &str) -> Option<u16> {
        self.names.get(&format!("port:{name}"))?.parse().ok()
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
        let mut command = self.binary(&self.starter);
        command.arg("run").args(&self.arguments).arg(self.config);
        command
    }

    /// The binary in our folder, which is its home too: it must not find what the user has.
    fn binary(&self, starter: &[String]) -> Command {
        let mut command = match starter {
            [] => Command::new(binary()),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(binary());
                command
            }
        };
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

/// Debian's folders of libraries are named for the machine's architecture.
fn preloaded(name: &str) -> String {
    let folders = std::fs::read_dir("/usr/lib").expect("/usr/lib").flatten();
    let found = folders.map(|folder| folder.path().join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is not installed: cargo xtask setup")).display().to_string()
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
}
