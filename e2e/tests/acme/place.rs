//! Where a proxy that gets certificates stands: its ports, its state, and visitors who trust nobody but the CA.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pn_testkit::{Authority, Finished, Folder, Pebble, PebbleOptions, Proxy, Setup, curl, free_port};

/// Two listeners, and sites on both. The store is one that others may share, as it is looked at each second.
pub(crate) const LISTENERS: &str = concat!(
    "[runtime]\nstate-dir = \"<state>\"\ncertificate-store = \"<store>\"\n",
    proxy_now_e2e::listeners!()
);

/// The same with an issuer of two lines at most, beside a first site.
pub(crate) fn config(more: &str) -> String {
    format!(
        "{LISTENERS}
[issuers.main.acme]
directory = \"<directory>\"
{more}

[sites.\"a.proxy.example\"]
respond = {{ body = \"a\" }}
"
    )
}

pub(crate) struct Place {
    pub(crate) http: u16,
    pub(crate) tls: u16,
    /// The state directory, and the root of what the CA issues.
    pub(crate) folder: Folder,
    store: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::at(free_port(), free_port())
    }

    /// At the ports where CAs look; for tests that are alone.
    pub(crate) fn usual() -> Self {
        Self::at(80, 443)
    }

    fn at(http: u16, tls: u16) -> Self {
        let folder = Folder::new();
        let store = folder.join("state/certificates");
        Self { http, tls, folder, store }
    }

    /// The same ports, with a state of its own.
    pub(crate) fn anew(&self) -> Self {
        Self::at(self.http, self.tls)
    }

    /// With the store of another.
    pub(crate) fn sharing(self, other: &Self) -> Self {
        Self { store: other.store.clone(), ..self }
    }

    /// A pebble that looks for challenges here.
    #[track_caller]
    pub(crate) fn pebble(&self, options: PebbleOptions) -> Pebble {
        let (http_port, tls_port) =
            (options.http_port.or(Some(self.http)), options.tls_port.or(Some(self.tls)));
        let pebble = Pebble::start(&PebbleOptions { http_port, tls_port, ..options });
        self.trust(&pebble.root());
        pebble
    }

    /// Visitors trust this root, in PEM, and no other.
    pub(crate) fn trust(&self, root: &str) {
        self.folder.write("root.pem", root);
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Sets the clock of proxies that have it from this file.
    pub(crate) fn clock(&self, offset: &str) -> PathBuf {
        self.folder.write("clock", format!("{offset}\n"))
    }

    /// A proxy whose system trusts the CA's directory.
    pub(crate) fn setup(&self, directory: &str, authority: &Authority) -> Setup {
        let setup = Proxy::setup().set("port:web", self.http).set("port:secure", self.tls);
        let setup = setup
            .set("state", self.state().display())
            .set("directory", directory)
            .set("store", self.store.display());
        setup.env("SSL_CERT_FILE", &authority.root().display().to_string())
    }

    /// What a client that trusts nobody but the CA gets.
    pub(crate) fn visit(&self, host: &str, protocol: &str) -> Finished {
        let root = self.folder.join("root.pem").display().to_string();
        self.visit_trusting(&root, host, protocol)
    }

    pub(crate) fn visit_trusting(&self, root: &str, host: &str, protocol: &str) -> Finished {
        let resolve = format!("{host}:{}:127.0.0.1", self.tls);
        let url = format!("https://{host}:{}/", self.tls);
        curl(&["--cacert", root, "--resolve", &resolve, protocol, "-w", " %{http_version}", &url])
    }

    /// Waits until a certificate was obtained, and clients of both protocols verify what this host is served with.
    #[track_caller]
    pub(crate) fn wait_until_served(&self, proxy: &Proxy, host: &str, body: &str) {
        let came = |proxy: &Proxy| {
            assert!(proxy.peer().is_running(), "{}", proxy.log());
            obtained(proxy) > 0
        };
        patiently(&format!("a certificate for {host}"), || came(proxy));
        let expected = format!("{body} 1.1");
        patiently(&format!("{host} to be served with a certificate of the CA"), || {
            self.visit(host, "--http1.1").stdout == expected
        });
        assert_eq!(self.visit(host, "--http2").expect_success(), format!("{body} 2"), "{}", proxy.log());
    }
}

/// The serial number that visitors of this place are shown at a port, in lower case; `None` if they cannot verify it.
pub(crate) fn serial_at(place: &Place, port: u16, host: &str) -> Option<String> {
    let resolve = format!("{host}:{port}:127.0.0.1");
    let url = format!("https://{host}:{port}/");
    let root = place.folder.join("root.pem").display().to_string();
    let shown = curl(&["--cacert", &root, "--resolve", &resolve, "-o", "/dev/null", "-w", "%{certs}", &url]);
    let line = shown.stdout.lines().find_map(|line| line.strip_prefix("Serial Number:"));
    line.filter(|_| shown.status.success()).map(|line| line.trim().to_ascii_lowercase())
}

/// Waits for what takes its time even where nothing is amiss: pauses of ten seconds and more.
#[track_caller]
pub(crate) fn patiently(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(50);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn obtained(proxy: &Proxy) -> usize {
    proxy.log().matches("certificate obtained").count()
}

/// The one record of this kind in a state directory, such as `certificates` or `schedule`.
#[track_caller]
pub(crate) fn record(state: &Path, kind: &str) -> serde_json::Value {
    let found = records(state, kind);
    let [record] = found.as_slice() else { panic!("{kind}: {found:#?}") };
    record.clone()
}

pub(crate) fn records(state: &Path, kind: &str) -> Vec<serde_json::Value> {
    let read = |path| serde_json::from_slice(&std::fs::read(path).ok()?).ok();
    files(state, kind).into_iter().filter_map(read).collect()
}

/// Where the records of this kind are.
pub(crate) fn files(state: &Path, kind: &str) -> Vec<PathBuf> {
    let mut folders = vec![state.join("certificates").join(kind)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found
}
