//! A child process: starting one, and what it does.

use crate::exchange::{Bundle, BundleIssuer, export_caddy, export_traefik, write_caddy, write_traefik};
use crate::records::{AccountRecord, CertificateRecord, Source, Upkeep, load, save};
use crate::storage::{Ca, Expected, FileStore, Key, Storage, StorageError};
use pn_model::Secret;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// What each writing child stores in turn.
pub(super) const KINDS: [&str; 4] = ["accounts/ca", "certificates/ca", "schedule", "throttle/ca"];
const TTL: Duration = Duration::from_secs(60);

pub(super) struct Child {
    process: std::process::Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    pub(super) fn start(order: &str) -> Self {
        Self::spawn(Command::new(std::env::current_exe().unwrap()), order)
    }

    /// One that may write files of at most 4 KiB.
    pub(super) fn start_limited(order: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"]);
        shell.arg(std::env::current_exe().unwrap());
        Self::spawn(shell, order)
    }

    fn spawn(mut command: Command, order: &str) -> Self {
        let test = format!("{}::obey", module_path!().split_once("::").unwrap().1);
        command.args(["--exact", &test, "--ignored", "--nocapture", "--test-threads=1"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut input = process.stdin.take().unwrap();
        writeln!(input, "{order}").unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, input, output }
    }

    /// The next line that the child says, without what its test harness says.
    pub(super) fn line(&mut self) -> Option<String> {
        let mut lines = self.output.by_ref().map_while(Result::ok);
        lines.find_map(|line| line.strip_prefix("> ").map(str::to_owned))
    }

    pub(super) fn tell(&mut self, order: &str) {
        writeln!(self.input, "{order}").unwrap();
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.process.kill().unwrap_or_default();
        self.process.wait().map(drop).unwrap_or_default();
    }
}

/// Of the size of a real one, with a number in all of its parts.
pub(super) fn record(number: u64) -> CertificateRecord {
    CertificateRecord {
        names: vec![format!("{number}.example.org")],
        issuer_directory: "https://ca.example/directory".into(),
        key_pem: Secret::new(format!("key {number}\n").repeat(20)),
        chain_pem: format!("chain {number}\n").repeat(300),
        obtained_at: number,
        replaced_by: None,
        profile: None,
        ari: None,
        source: Source::Obtained,
        revoked_at: None,
        ocsp: None,
        unwanted_since: None,
        proven_by: None,
        unknown: serde_json::Map::new(),
    }
}

#[tokio::test]
#[ignore = "is started by the tests beside it, and told what to do"]
async fn obey() {
    let line = line();
    let mut words = line.split(' ');
    let (Some(order), Some(dir), Some(argument)) = (words.next(), words.next(), words.next()) else { return };
    let store = FileStore::open(dir.as_ref()).unwrap();
    match order {
        "write" => write(&store, argument).await,
        "exchange" => exchanging(&store, argument.as_ref()).await,
        "count" => count(&store, argument.parse().unwrap()).await,
        "exclude" => exclude(&store, argument.parse().unwrap()).await,
        "hold" => hold(&store, argument.parse().unwrap()).await,
        "fill" => fill(&store, argument.parse().unwrap()).await,
        other => panic!("{other}"),
    }
}

/// Writes without end, under a lock, each record one higher than it found it.
async fn write(store: &FileStore, name: &str) {
    for kind in KINDS.iter().cycle() {
        let key = Key::parse(&format!("{kind}/{name}")).unwrap();
        let lease = store.lock(key.as_str(), TTL).await.unwrap().unwrap();
        let (number, expected) = match load::<CertificateRecord>(store, &key).await.unwrap() {
            Some((found, version)) => (found.obtained_at + 1, Expected::Version(version)),
            None => (1, Expected::Absent),
        };
        save(store, &key, &record(number), expected, Some(&lease)).await.unwrap();
        say(&format!("{key} {number}"));
        store.unlock(lease).await.unwrap();
    }
}

/// How many accounts and certificates an import brings.
pub(super) const TAKEN: u64 = 3;

/// What comes from another proxy, with a number in all of its parts, for CAs and names that are always the same.
pub(super) fn bundle(number: u64) -> Bundle {
    let issuer = |ca: u64| {
        let directory = format!("https://ca{ca}.example/directory");
        let account = AccountRecord {
            directory: directory.clone(),
            url: format!("https://ca{ca}.example/account/{number}"),
            email: None,
            key_pem: Secret::new(format!("key {number}\n").repeat(20)),
            registered_at: number,
            body: serde_json::Value::Null,
            upkeep: Upkeep::default(),
            unknown: serde_json::Map::new(),
        };
        let names = vec![format!("ca{ca}.example.org")];
        let certificate = CertificateRecord { names, issuer_directory: directory.clone(), ..record(number) };
        BundleIssuer {
            name: Ca::of(&directory).as_str().to_owned(),
            directory: Some(directory),
            accounts: vec![account],
            certificates: vec![certificate],
        }
    };
    Bundle { issuers: (0..TAKEN).map(issuer).collect(), ..Bundle::default() }
}

/// Imports, exports and clears away without end, each time with a number that is one higher.
async fn exchanging(store: &FileStore, out: &Path) {
    let last =
        Bundle::read(store).await.unwrap().issuers.iter().map(|one| one.accounts[0].registered_at).max();
    for number in last.unwrap_or(0) + 1.. {
        bundle(number).store(store, true).await.unwrap();
        say(&format!("imported {number}"));
        let all = Bundle::read(store).await.unwrap();
        write_caddy(out, &export_caddy(&all).0).unwrap();
        write_traefik(&out.join("acme.json"), &export_traefik(&all).0).unwrap();
        say(&format!("exported {number}"));
        let passing = Key::schedule(&format!("passing-{number}"));
        save(store, &passing, &record(number), Expected::Absent, None).await.unwrap();
        store.delete(&passing, Expected::Any, None).await.unwrap();
        say(&format!("cleared {number}"));
    }
}

async fn count(store: &FileStore, times: u64) {
    let key = Key::schedule("count");
    let (mut done, mut conflicts) = (0, 0);
    while done < times {
        let found = load::<CertificateRecord>(store, &key).await.unwrap();
        let number = found.as_ref().map_or(0, |(found, _)| found.obtained_at);
        let expected = found.map_or(Expected::Absent, |(_, version)| Expected::Version(version));
        match save(store, &key, &record(number + 1), expected, None).await {
            Ok(_) => done += 1,
            Err(StorageError::Conflict(_)) => conflicts += 1,
            Err(error) => panic!("{error}"),
        }
    }
    say(&conflicts.to_string());
}

async fn exclude(store: &FileStore, times: u64) {
    let inside = Key::schedule("inside");
    let mut done = 0;
    while done < times {
        let Some(lease) = store.lock("door", TTL).await.unwrap() else {
            tokio::task::yield_now().await;
            continue;
        };
        let alone = store.save(&inside, b"x", Expected::Absent, Some(&lease)).await;
        alone.unwrap_or_else(|error| panic!("not alone: {error}"));
        store.delete(&inside, Expected::Any, Some(&lease)).await.unwrap();
        store.unlock(lease).await.unwrap();
        done += 1;
    }
    say("done");
}

async fn hold(store: &FileStore, seconds: u64) {
    let lease = store.lock("a", Duration::from_secs(seconds)).await.unwrap().unwrap();
    say("held");
    line();
    let refused = store.save(&Key::schedule("a"), b"late", Expected::Any, Some(&lease)).await.unwrap_err();
    say(&refused.to_string());
}

async fn fill(store: &FileStore, bytes: usize) {
    let key = Key::schedule("a");
    let refused = store.save(&key, &vec![b'x'; bytes], Expected::Any, None).await.unwrap_err();
    say(&refused.to_string());
    line();
    store.save(&Key::schedule("b"), b"small", Expected::Any, None).await.unwrap();
    say("small values are still stored");
}

fn say(text: &str) {
    // In one write, and after the line that the harness began.
    let mut output = std::io::stdout().lock();
    output.write_all(format!("\n> {text}\n").as_bytes()).unwrap();
    output.flush().unwrap();
}

fn line() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}
