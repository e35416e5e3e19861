//! Certificates of files that change while the configuration does not: replaced by a rename, written over, or behind the
//! links of a Kubernetes secret. Half of a pair, and halves that do not match, leave the old certificate in place.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;

use pn_testkit::{Authority, Folder, Identity, Proxy, RawClient, TlsOptions, wait_for, wait_until};

const CONFIG: &str = r#"
[listeners.secure]
address = "127.0.0.1:<port:secure>"
tls = true

[defaults.sites]
listeners = ["secure"]

[sites."app.test"]
certificate = { cert = "<at>/tls.crt", key = "<at>/tls.key" }
respond = { body = "app" }
"#;

struct World {
    authority: Authority,
    folder: Folder,
}

impl World {
    fn new() -> Self {
        Self { authority: Authority::new(), folder: Folder::new() }
    }

    fn start(&self) -> Proxy {
        Proxy::setup().set("at", self.folder.path().display()).start(CONFIG)
    }

    fn identity(&self) -> Identity {
        self.authority.server(&["app.test"])
    }

    fn write(&self, identity: &Identity) {
        self.folder.write("tls.crt", &identity.certificate_pem);
        self.folder.write("tls.key", &identity.key_pem);
    }

    fn rename(&self, name: &str, content: &str) -> std::io::Result<()> {
        let new = self.folder.write("new", content);
        fs::rename(new, self.folder.join(name))
    }

    /// What a client is shown now, as DER.
    fn shown(&self, address: SocketAddr) -> Option<Vec<u8>> {
        let client = RawClient::connect_tls(address, "app.test", &TlsOptions::trusting(&self.authority));
        let chain = client.tls().and_then(|tls| tls.peer_certificates());
        chain.and_then(<[_]>::first).map(|leaf| leaf.to_vec())
    }

    #[track_caller]
    fn wait_for(&self, proxy: &Proxy, identity: &Identity) {
        let address = proxy.addr("secure");
        wait_until("the new certificate", || self.shown(address) == Some(der(identity)));
    }
}

fn der(identity: &Identity) -> Vec<u8> {
    let lines = identity.certificate_pem.lines().take_while(|line| !line.starts_with("-----END"));
    base64(&lines.skip(1).collect::<String>())
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte));
    let bits: Vec<bool> =
        digits.flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1 == 1)).collect();
    bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect()
}

#[test]
fn files_that_are_replaced_or_written_over_are_served_without_a_word() {
    let world = World::new();
    world.write(&world.identity());
    let proxy = world.start();
    let renamed = world.identity();
    world.rename("tls.key", &renamed.key_pem).unwrap();
    world.rename("tls.crt", &renamed.certificate_pem).unwrap();
    world.wait_for(&proxy, &renamed);
    let written = world.identity();
    world.write(&written);
    world.wait_for(&proxy, &written);
}

/// As the kubelet does it: `tls.crt -> ..data/tls.crt`, `..data -> ..2026_1`, and the last link is replaced by a rename.
#[test]
fn the_links_of_a_kubernetes_secret_are_followed() {
    let world = World::new();
    let put = |version: &str, identity: &Identity| {
        fs::create_dir(world.folder.join(version)).unwrap();
        world.folder.write(&format!("{version}/tls.crt"), &identity.certificate_pem);
        world.folder.write(&format!("{version}/tls.key"), &identity.key_pem);
        symlink(version, world.folder.join("..data_tmp")).unwrap();
        fs::rename(world.folder.join("..data_tmp"), world.folder.join("..data")).unwrap();
    };
    put("..2026_1", &world.identity());
    for name in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{name}"), world.folder.join(name)).unwrap();
    }
    let proxy = world.start();
    for version in ["..2026_2", "..2026_3"] {
        let identity = world.identity();
        put(version, &identity);
        world.wait_for(&proxy, &identity);
    }
}

#[test]
fn half_of_a_pair_keeps_the_old_certificate_and_is_told() {
    let world = World::new();
    let old = world.identity();
    world.write(&old);
    let proxy = world.start();
    let address = proxy.addr("secure");
    let next = world.identity();
    let half = next.certificate_pem.get(..next.certificate_pem.len() / 2).unwrap();
    for (what, content) in
        [("cut off", half), ("of another key", next.certificate_pem.as_str()), ("empty", "")]
    {
        let refused = proxy.metrics().value("config_reloads_total", &[("result", "refused")]);
        world.folder.write("tls.crt", content);
        wait_for(what, || {
            let now = proxy.metrics().value("config_reloads_total", &[("result", "refused")]);
            (now > refused).then_some(())
        });
        assert_eq!(world.shown(address), Some(der(&old)), "{what}");
    }
    let log = proxy.log();
    assert!(log.contains("ERROR") && log.contains("tls.crt"), "{log}");
    world.folder.write("tls.key", &next.key_pem);
    world.folder.write("tls.crt", &next.certificate_pem);
    world.wait_for(&proxy, &next);
}
