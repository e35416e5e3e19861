//! What openssl meets at policies: the profiles of Mozilla's guidelines, and clients that name no site of ours.

use std::process::Command;
use std::time::Duration;

use pn_testkit::{Authority, Peer, Proxy, find_program};

const CONFIG: &str = r#"
[listeners.secure]
address = "127.0.0.1:<port:secure>"
tls = true

[defaults.sites]
listeners = ["secure"]

[tls-policies.this]
<policy>

[sites."app.test"]
certificate = [{ cert = "<cert>", key = "<key>" }, { cert = "<rsa-cert>", key = "<rsa-key>" }]
tls-policy = "this"
respond = { body = "app" }

[sites."*"]
certificate = { cert = "<cert>", key = "<key>" }
tls-policy = "this"
respond = { body = "rest" }
"#;

fn start(policy: &str) -> Proxy {
    let authority = Authority::new();
    let (server, rsa) = (authority.server(&["app.test"]), authority.server_rsa(&["app.test"]));
    let setup = Proxy::setup().set("policy", policy);
    let setup = setup.set("cert", server.certificate.display()).set("key", server.key.display());
    setup.set("rsa-cert", rsa.certificate.display()).set("rsa-key", rsa.key.display()).start(CONFIG)
}

/// Whether a handshake with these arguments comes about, and what openssl said of it.
fn shakes(proxy: &Proxy, arguments: &str) -> (bool, String) {
    let mut command = Command::new(find_program("openssl"));
    command.args(["s_client", "-brief", "-connect", &proxy.addr("secure").to_string()]);
    command.args(arguments.split_whitespace());
    let came = Peer::run("openssl", &command, Duration::from_secs(30));
    (came.stderr.contains("CONNECTION ESTABLISHED"), came.stderr)
}

#[test]
fn profiles_are_what_mozilla_says() {
    let rows = [
        // Arguments beside the name, `intermediate`, `modern`.
        ("-tls1_3", true, true),
        ("-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256", true, true),
        ("-tls1_3 -groups P-384", true, true),
        ("-tls1_3 -groups P-521", false, false),
        ("-tls1_2", true, false),
        ("-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", true, false),
        ("-tls1_2 -cipher ECDHE-RSA-AES256-GCM-SHA384", true, false),
        ("-tls1_2 -cipher ECDHE-RSA-CHACHA20-POLY1305", true, false),
        // Without forward secrecy; CBC; below 1.2.
        ("-tls1_2 -cipher AES128-GCM-SHA256:@SECLEVEL=0", false, false),
        ("-tls1_2 -cipher ECDHE-RSA-AES128-SHA:@SECLEVEL=0", false, false),
        ("-tls1_1 -cipher ALL:@SECLEVEL=0", false, false),
    ];
    for (profile, column) in [("intermediate", 0), ("modern", 1)] {
        let proxy = start(&format!("profile = \"{profile}\""));
        for (arguments, intermediate, modern) in rows {
            let expected = [intermediate, modern][column];
            let (came, told) = shakes(&proxy, &format!("-servername app.test {arguments}"));
            assert_eq!(came, expected, "{profile} {arguments}\n{told}");
        }
    }
}

#[test]
fn a_strict_policy_takes_nobody_who_names_no_site() {
    for (policy, expected) in [("sni-strict = true", [true, false, false]), ("", [true, true, true])] {
        let proxy = start(policy);
        for (name, expected) in
            ["-servername app.test", "-servername other.test", "-noservername"].into_iter().zip(expected)
        {
            let (came, told) = shakes(&proxy, name);
            assert_eq!(came, expected, "{policy} {name}\n{told}");
            assert!(came || told.contains("unrecognized name"), "{told}");
        }
    }
}
