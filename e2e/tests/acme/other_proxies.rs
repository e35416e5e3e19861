//! What a real Traefik and a real Caddy have obtained is taken over: account, key and certificate. And back again: they
//! go on with what is written for them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pn_testkit::{CaddyClient, Pebble, PebbleOptions, Peer, Setup, Traefik, free_port};
use serde_json::Value;

use crate::place::{Place, config, obtained, patiently, record, serial_at};

pub(crate) const HOST: &str = "a.proxy.example";
/// One that the other proxy asks for when it goes on.
const NEXT: &str = "b.proxy.example";
const EMAIL: &str = "email = \"ops@proxy.example\"";

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Traefik,
    Caddy,
}

enum Other {
    Traefik(Traefik),
    Caddy(CaddyClient),
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Traefik => "traefik",
            Self::Caddy => "caddy",
        }
    }

    /// One that starts from nothing.
    fn start(self, pebble: &Pebble, http: u16) -> Other {
        match self {
            Self::Traefik => Other::Traefik(Traefik::start(pebble, http, HOST)),
            Self::Caddy => Other::Caddy(CaddyClient::start(pebble, http, &[HOST])),
        }
    }

    /// One that starts with what was exported for it.
    fn going_on(self, pebble: &Pebble, exported: &Path, http: u16) -> Other {
        match self {
            Self::Traefik => {
                let file = read(exported).expect("an acme.json");
                let resolver = file.as_object().and_then(|file| file.keys().next()).expect("a resolver");
                Other::Traefik(Traefik::going_on(pebble, exported, resolver, http, &[HOST, NEXT]))
            }
            Self::Caddy => Other::Caddy(CaddyClient::going_on(pebble, exported, http, &[HOST, NEXT])),
        }
    }
}

impl Other {
    fn peer(&self) -> &Peer {
        match self {
            Self::Traefik(traefik) => traefik.peer(),
            Self::Caddy(caddy) => caddy.peer(),
        }
    }

    fn tls(&self) -> u16 {
        match self {
            Self::Traefik(traefik) => traefik.secure().port(),
            Self::Caddy(caddy) => caddy.secure().port(),
        }
    }

    fn store(&self) -> &Path {
        match self {
            Self::Traefik(traefik) => traefik.file(),
            Self::Caddy(caddy) => caddy.data(),
        }
    }

    /// The URL of its account, once it has stored a certificate.
    fn account(&self) -> Option<String> {
        let found = match self {
            Self::Traefik(traefik) => {
                let store = read(traefik.file())?;
                let resolver = store["main"].clone();
                resolver["Certificates"]
                    .is_array()
                    .then(|| resolver["Account"]["Registration"]["uri"].clone())
            }
            Self::Caddy(caddy) => {
                let below = |name: &str| {
                    let mut folders = std::fs::read_dir(caddy.data().join(name)).ok()?.flatten();
                    folders.next().map(|folder| folder.path())
                };
                let place = below("certificates")?.join(HOST);
                let complete = ["crt", "key", "json"]
                    .iter()
                    .all(|ending| place.join(format!("{HOST}.{ending}")).is_file());
                let account = below("acme")?.join("users/ops@proxy.example/ops.json");
                complete.then(|| read(&account)).flatten().map(|account| account["location"].clone())
            }
        };
        found?.as_str().map(str::to_owned)
    }

    /// A copy of its store, as it was when it ended.
    fn stopped(self, into: &Path) -> PathBuf {
        let copied = Command::new("cp").arg("-a").arg(self.store()).arg(into).status();
        assert!(copied.expect("cp").success());
        into.join(self.store().file_name().expect("a name"))
    }
}

/// Pebble's own count of orders and accounts.
pub(crate) fn counted(pebble: &Pebble) -> (usize, usize) {
    let log = pebble.peer().log();
    let last = |what: &str| {
        let mut lines = log.lines().rev().filter_map(|line| line.split_once("There are now "));
        let count = lines.find_map(|(_, count)| count.strip_suffix(what)?.trim().parse().ok());
        count.unwrap_or(0)
    };
    (last(" orders in the db"), last(" accounts in memory"))
}

/// Imports while nothing runs that would have to be told.
pub(crate) fn import(setup: &mut Setup, place: &Place, pebble: &Pebble, from: [&str; 2]) -> String {
    let store = place.state().join("certificates").display().to_string();
    let (nobody, directory) = (format!("127.0.0.1:{}", free_port()), pebble.directory());
    let options = ["--store", &store, "--address", &nobody, "--directory", &directory];
    setup.command(&[&["certs", "import"], &from[..], &options].concat(), "").expect_success()
}

pub(crate) fn export(place: &Place, pebble: &Pebble, kind: Kind) -> PathBuf {
    let store = place.state().join("certificates").display().to_string();
    let out = place.folder.join(&format!("for-{}", kind.name()));
    let (nobody, into) = (format!("127.0.0.1:{}", free_port()), out.display().to_string());
    let options = ["--format", kind.name(), "--out", &into, "--store", &store, "--address", &nobody];
    let mut setup = place.setup(&pebble.directory(), pebble.authority());
    setup.command(&[&["certs", "export"], &options[..]].concat(), "").expect_success();
    out
}

/// The other proxy serves what was exported, and orders nothing but what was not in it; by an account that is new or
/// not.
fn goes_on(kind: Kind, place: &Place, pebble: &Pebble, serial: &str, accounts: usize) {
    let exported = export(place, pebble, kind);
    if kind == Kind::Traefik {
        // It refuses one that others may read.
        let mode = std::fs::metadata(&exported).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }
    let (orders, before) = counted(pebble);
    let other = kind.going_on(pebble, &exported, place.http);
    let served = |host: &str| {
        assert!(other.peer().is_running(), "{:?}", other.peer());
        serial_at(place, other.tls(), host)
    };
    patiently("the other to serve what is new", || served(NEXT).is_some());
    assert_eq!(served(HOST).as_deref(), Some(serial), "{:?}", other.peer());
    assert_eq!(counted(pebble), (orders + 1, before + accounts), "{:?}", other.peer());
}

fn there_and_back(kind: Kind) {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions { bad_nonces: 20, ..PebbleOptions::default() });
    let other = kind.start(&pebble, place.http);
    patiently("the other to have a certificate", || other.account().is_some());
    let account = other.account().expect("an account");
    let taken = other.stopped(place.folder.path());
    close(&taken);

    let mut setup = place.setup(&pebble.directory(), pebble.authority());
    import(&mut setup, &place, &pebble, [kind.name(), &taken.display().to_string()]);
    let proxy = setup.start(&config(EMAIL));
    assert_eq!(place.visit(HOST, "--http2").expect_success(), "a 2", "{}", proxy.log());
    assert_eq!(obtained(&proxy), 0, "{}", proxy.log());
    let first = serial_at(&place, place.tls, HOST).expect("a serial number");
    let admin = proxy.admin().to_string();
    proxy.command(&["certs", "renew", HOST, "--address", &admin]).expect_success();
    place.wait_until_served(&proxy, HOST, "a");
    patiently("the renewed one", || serial_at(&place, place.tls, HOST).is_some_and(|serial| serial != first));
    assert_eq!(record(&place.state(), "accounts")["url"], account.as_str());
    assert!(!proxy.log().contains("account registered"), "{}", proxy.log());
    assert_eq!(counted(&pebble), (2, 1), "{:?}", pebble.peer());

    let renewed = serial_at(&place, place.tls, HOST).expect("a serial number");
    proxy.stop();
    goes_on(kind, &place, &pebble, &renewed, 0);
}

/// Its account has a key of RSA-4096 in PKCS#1, as all of Traefik.
#[test]
fn what_traefik_has_obtained_is_renewed_with_its_account_and_given_back() {
    there_and_back(Kind::Traefik);
}

/// Its account has a key of P-256 in SEC1.
#[test]
fn what_caddy_has_obtained_is_renewed_with_its_account_and_given_back() {
    there_and_back(Kind::Caddy);
}

/// Caddy goes on with the account; Traefik cannot read its key, and registers another one.
#[test]
fn what_was_obtained_here_is_served_elsewhere() {
    let place = Place::new();
    let pebble = place.pebble(PebbleOptions::default());
    let proxy = place.setup(&pebble.directory(), pebble.authority()).start(&config(EMAIL));
    place.wait_until_served(&proxy, HOST, "a");
    let serial = serial_at(&place, place.tls, HOST).expect("a serial number");
    proxy.stop();
    goes_on(Kind::Caddy, &place, &pebble, &serial, 0);
    goes_on(Kind::Traefik, &place, &pebble, &serial, 1);
}

/// Nobody else may read it, or it is refused. A folder stays as it is.
fn close(path: &Path) {
    if path.is_file() {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("its permissions");
    }
}

/// JSON that may not be there yet, or only half.
fn read(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
