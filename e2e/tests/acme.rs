//! Certificates of a real ACME server (pebble), from a clean machine: obtained by each challenge that the proxy answers
//! itself, served to real clients, kept over a restart, and left alone by changes of other sites.

use std::time::Duration;

use pn_testkit::{Finished, Folder, Pebble, PebbleOptions, Proxy, curl, free_port};

const CONFIG: &str = r#"
[runtime]
state-dir = "<state>"

[listeners.web]
address = "127.0.0.1:<http>"

[listeners.secure]
address = "127.0.0.1:<tls>"
tls = true

[defaults.sites]
listeners = ["web", "secure"]

[issuers.main.acme]
directory = "<directory>"
roots = "<https-root>"
<more>

[sites."a.proxy.example"]
issuer = "main"
respond = { body = "a" }
"#;
const OTHER: &str = r#"
[sites."b.proxy.example"]
hosts = ["c.proxy.example"]
issuer = "main"
respond = { body = "b" }
"#;

struct World {
    pebble: Pebble,
    http: u16,
    tls: u16,
    /// The state directory, and the root of what the CA issues.
    folder: Folder,
}

impl World {
    fn new(bad_nonces: u8, reuse: u8) -> Self {
        let (http, tls, folder) = (free_port(), free_port(), Folder::new());
        let ports = PebbleOptions { http_port: Some(http), tls_port: Some(tls), ..PebbleOptions::default() };
        let pebble = Pebble::start(&PebbleOptions { bad_nonces, reuse, ..ports });
        folder.write("root.pem", pebble.root());
        Self { pebble, http, tls, folder }
    }

    fn start(&self, more: &str, config: &str) -> Proxy {
        let setup = Proxy::setup().set("http", self.http).set("tls", self.tls).set("more", more);
        let setup = setup.set("state", self.folder.path().join("state").display());
        let setup = setup.set("directory", self.pebble.directory());
        setup.set("https-root", self.pebble.authority().root().display()).start(config)
    }

    /// What a client that trusts nobody but the CA gets.
    fn visit(&self, host: &str, protocol: &str) -> Finished {
        let root = self.folder.path().join("root.pem").display().to_string();
        let resolve = format!("{host}:{}:127.0.0.1", self.tls);
        let url = format!("https://{host}:{}/", self.tls);
        curl(&["--cacert", &root, "--resolve", &resolve, protocol, "-w", " %{http_version}", &url])
    }

    #[track_caller]
    fn wait_until_served(&self, proxy: &Proxy, host: &str, body: &str) {
        let expected = format!("{body} 1.1");
        for tries in 0.. {
            let came = self.visit(host, "--http1.1");
            if came.status.success() && came.stdout == expected {
                return;
            }
            assert!(tries < 100, "{host} is not served\n{}\n{}", came.stderr, proxy.log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn obtained(proxy: &Proxy) -> usize {
    proxy.log().matches("certificate obtained").count()
}

#[test]
fn each_challenge_gets_a_certificate_that_clients_verify() {
    for challenge in ["http-01", "tls-alpn-01"] {
        let world = World::new(5, 0);
        let proxy = world.start(&format!("challenges = [\"{challenge}\"]"), CONFIG);
        world.wait_until_served(&proxy, "a.proxy.example", "a");
        assert_eq!(world.visit("a.proxy.example", "--http2").expect_success(), "a 2", "{challenge}");
        assert_eq!(obtained(&proxy), 1, "{}", proxy.log());
    }
}

#[test]
fn a_site_is_added_without_touching_the_others_and_all_outlive_a_restart() {
    // Half of all nonces refused, and half of the proofs used again.
    let world = World::new(50, 50);
    let mut proxy = world.start("", CONFIG);
    world.wait_until_served(&proxy, "a.proxy.example", "a");
    proxy.reload_accepted(&format!("{CONFIG}{OTHER}"));
    for host in ["b.proxy.example", "c.proxy.example"] {
        world.wait_until_served(&proxy, host, "b");
    }
    assert_eq!(obtained(&proxy), 2, "{}", proxy.log());
    proxy.reload_accepted(CONFIG);
    assert_eq!(world.visit("a.proxy.example", "--http1.1").expect_success(), "a 1.1");
    proxy.stop();
    let again = world.start("", &format!("{CONFIG}{OTHER}"));
    // From the first moment, and without an order.
    for (host, body) in [("a.proxy.example", "a"), ("c.proxy.example", "b")] {
        assert_eq!(world.visit(host, "--http2").expect_success(), format!("{body} 2"));
    }
    assert_eq!(obtained(&again), 0, "{}", again.log());
}
