//! What many subjects begin with: a plain and a TLS listener, one certificate for every site, and how curl gets there.

use pn_testkit::{Authority, Proxy, Setup, TlsOptions};

/// `web` without TLS and `secure` with it, at `<port:web>` and `<port:secure>`, and every site on both; what else holds
/// for all sites may follow.
#[macro_export]
macro_rules! listeners {
    () => {
        r#"
[listeners.web]
address = "127.0.0.1:<port:web>"

[listeners.secure]
address = "127.0.0.1:<port:secure>"
tls = true

[defaults.sites]
listeners = ["web", "secure"]
"#
    };
}

/// Of these, with every site under the certificate of [`Front::setup`].
pub const LISTENERS: &str =
    concat!(crate::listeners!(), "https = \"both\"\ncertificate = { cert = \"<cert>\", key = \"<key>\" }\n");

/// The authority that issues the certificate; it lives as long as the files are needed.
#[derive(Debug, Default)]
pub struct Front {
    authority: Authority,
}

impl Front {
    pub fn new() -> Self {
        Self::default()
    }

    /// `<cert>` and `<key>` of the configuration, for these hosts.
    pub fn setup(&self, hosts: &[&str]) -> Setup {
        let identity = self.authority.server(hosts);
        Proxy::setup().set("cert", identity.certificate.display()).set("key", identity.key.display())
    }

    pub fn tls(&self, alpn: &[&str]) -> TlsOptions {
        TlsOptions::trusting(&self.authority).alpn(alpn)
    }

    /// The root's file.
    pub fn root(&self) -> String {
        self.authority.root().display().to_string()
    }

    /// Arguments of curl that lead to a site: the URL, and where it is in truth.
    pub fn curl(&self, proxy: &Proxy, listener: &str, host: &str, path: &str) -> Vec<String> {
        let (address, root) = (proxy.addr(listener), self.root());
        let scheme = if listener == "secure" { "https" } else { "http" };
        let place = format!("{host}:{}:127.0.0.1", address.port());
        let url = format!("{scheme}://{host}:{}{path}", address.port());
        ["--resolve", &place, "--cacert", &root, &url].map(str::to_owned).to_vec()
    }
}
