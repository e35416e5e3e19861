//! The proxy that a set of cases shares, with a site and an origin for each of them.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use pn_testkit::{Authority, Identity, Proxy, RawOrigin};

use crate::case::Case;

/// Each listener differs from `web` in one thing.
const LISTENERS: &str = r#"
[listeners.web]
address = "127.0.0.1:<port:web>"

[listeners.strict]
address = "127.0.0.1:<port:strict>"
paths   = "strict"

[listeners.trusting]
address         = "127.0.0.1:<port:trusting>"
trusted-proxies = ["127.0.0.0/8"]

[listeners.balanced]
address        = "127.0.0.1:<port:balanced>"
proxy-protocol = { trusted = ["127.0.0.0/8"], required = true }

[listeners.mixed]
address        = "127.0.0.1:<port:mixed>"
proxy-protocol = { trusted = ["127.0.0.0/8"] }

[listeners.wary]
address        = "127.0.0.1:<port:wary>"
proxy-protocol = { trusted = ["10.0.0.0/8"] }

[listeners.hasty]
address        = "127.0.0.1:<port:hasty>"
proxy-protocol = { trusted = ["10.0.0.0/8"] }
timeouts       = { handshake = "1s", header = "1s", body-idle = "1s", keepalive-idle = "1s" }

[listeners.demanding]
address  = "127.0.0.1:<port:demanding>"
timeouts = { body-idle = "1s" }
limits   = { body-min-rate = "1KiB" }

[listeners.small]
address = "127.0.0.1:<port:small>"
limits  = { header-bytes = "8KiB", headers = 16, requests-per-connection = 2, h2-streams = 4 }

[listeners.secure]
address = "127.0.0.1:<port:secure>"
tls     = true

[listeners.hasty-secure]
address  = "127.0.0.1:<port:hasty-secure>"
tls      = true
timeouts = { handshake = "1s" }

[tls-policies.only-1-2]
max-version = "1.2"

[tls-policies.only-1-3]
min-version = "1.3"

[sites."probe.test"]
listeners = [<plain>, <tls>]
https     = "both"
respond   = { body = "probe" }
certificate = { cert = "<cert>", key = "<key>" }
"#;

const PLAIN: &str =
    r#""web", "strict", "trusting", "balanced", "mixed", "wary", "hasty", "demanding", "small""#;
const TLS: &str = r#""secure", "hasty-secure""#;

pub(crate) struct Stage {
    proxy: Proxy,
    /// One for each case, in their order.
    pub(crate) origins: Vec<RawOrigin>,
    /// Whose certificate every site has.
    pub(crate) authority: Authority,
}

impl Stage {
    pub(crate) fn start(cases: &[Case]) -> Self {
        let origins: Vec<RawOrigin> = cases.iter().map(origin).collect();
        let authority = Authority::new();
        let identity = certificate(&authority, cases);
        let mut config = LISTENERS.to_owned();
        for (case, origin) in cases.iter().zip(&origins) {
            push_site(&mut config, case, origin);
        }
        let setup = Proxy::setup()
            .set("plain", PLAIN)
            .set("tls", TLS)
            .set("cert", identity.certificate.display())
            .set("key", identity.key.display())
            .set("root", authority.root().display());
        Self { proxy: setup.start(&config), origins, authority }
    }

    pub(crate) fn address(&self, listener: &str) -> SocketAddr {
        self.proxy.addr(listener)
    }

    /// Nothing that the cases did has hurt the proxy.
    #[track_caller]
    pub(crate) fn is_sound(&self) {
        assert!(self.proxy.peer().is_running(), "{:?}", self.proxy);
        let log = self.proxy.log();
        assert!(!log.contains("panicked"), "{log}");
    }
}

fn origin(case: &Case) -> RawOrigin {
    let script = Arc::clone(&case.script);
    RawOrigin::start(move |wire| script(wire))
}

fn certificate(authority: &Authority, cases: &[Case]) -> Identity {
    let mut names = vec!["probe.test".to_owned()];
    names.extend(cases.iter().flat_map(|case| [format!("{}.test", case.id), format!("*.{}.test", case.id)]));
    authority.server(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn push_site(config: &mut String, case: &Case, origin: &RawOrigin) {
    let (id, listener) = (case.id, case.listener);
    let address = origin.addr();
    let keys = case.site.replace("{host}", &format!("{id}.test")).replace("{id}", id);
    let keys = keys.replace("{origin}", &address.to_string()).replace("{port}", &address.port().to_string());
    let mut defaults = String::new();
    if !keys.contains("listeners = ") {
        writeln!(defaults, "listeners = [\"{listener}\"]").expect("a string takes text");
    }
    if listener.ends_with("secure") || keys.contains("\"secure\"") {
        defaults.push_str("certificate = { cert = \"<cert>\", key = \"<key>\" }\n");
    }
    if !keys.contains("https = ") {
        let https = if listener.ends_with("secure") { "both" } else { "off" };
        writeln!(defaults, "https = \"{https}\"").expect("a string takes text");
    }
    write!(config, "\n[sites.\"{id}.test\"]\nhosts = [\"*.{id}.test\"]\n{defaults}{keys}\n")
        .expect("a string takes text");
}
