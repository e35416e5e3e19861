//! The scripts: what is configured, and what is asked. A change of one is a new yardstick, so its baseline is written
//! anew.

use std::fmt::Write as _;

pub(super) const HOST: &str = "h00000.bench.local";

/// One fixed load.
#[derive(Debug)]
pub struct Script {
    pub name: &'static str,
    pub title: &'static str,
    /// How many requests are counted at once.
    pub requests: u32,
    pub(super) config: fn() -> String,
    pub(super) protocol: Protocol,
    /// The route that is asked for.
    pub(super) route: usize,
    /// Bytes of the request's body; 0 is a GET.
    pub(super) upload: usize,
    /// Bytes of the response's body.
    pub(super) answer: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http1Tls,
    Http2Tls,
}

const SMALL: Script = Script {
    name: "h1",
    title: "HTTP/1.1, kept connection, 128 B",
    requests: 1000,
    config: || plain(1),
    protocol: Protocol::Http1,
    route: 0,
    upload: 0,
    answer: 128,
};

/// All of them; `cargo xtask bench gate` knows `h1`, `middlewares` and `routes-10000` by name.
pub const SCRIPTS: [Script; 7] = [
    SMALL,
    Script { name: "middlewares", title: "the same through five middlewares", config: middlewares, ..SMALL },
    Script {
        name: "routes-10000",
        title: "the same, the last of 10,000 routes",
        config: || plain(10_000),
        route: 9_999,
        ..SMALL
    },
    Script { name: "64k", title: "64 KiB response", requests: 200, answer: 1 << 16, ..SMALL },
    Script { name: "post", title: "POST of 4 KiB", upload: 4096, ..SMALL },
    Script {
        name: "tls",
        title: "HTTP/1.1 over TLS 1.3, kept connection, 128 B",
        config: tls,
        protocol: Protocol::Http1Tls,
        ..SMALL
    },
    Script {
        name: "h2",
        title: "HTTP/2 over TLS 1.3, one stream after another, 128 B",
        config: tls,
        protocol: Protocol::Http2Tls,
        ..SMALL
    },
];

impl Script {
    pub(super) fn host(&self) -> String {
        host(self.route)
    }

    pub(super) fn path(&self) -> String {
        format!("{}/orders/17", prefix(self.route))
    }
}

fn host(route: usize) -> String {
    format!("h{route:05}.bench.local")
}

fn prefix(route: usize) -> String {
    format!("/p{route:05}")
}

/// One worker: its instructions do not depend on which one the kernel picks.
fn head(listener: &str) -> String {
    format!(
        "[runtime]\nworkers = 1\n\n[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n{listener}\n\
         [services.up]\nservers = [\"http://<upstream>\"]\n"
    )
}

fn plain(routes: usize) -> String {
    let mut text = head("");
    for route in 0..routes {
        let (host, prefix) = (host(route), prefix(route));
        // Writing to a String cannot fail.
        write!(
            text,
            "\n[sites.\"{host}\"]\nlisteners = [\"web\"]\nhttps = \"off\"\nroutes.\"{prefix}/*\" = {{ to = \"up\" }}\n"
        )
        .ok();
    }
    text
}

fn middlewares() -> String {
    let site = format!(
        "\n[sites.\"{HOST}\"]\nlisteners = [\"web\"]\nhttps = \"off\"\n\
         use = [\"fields\", \"shorter\", \"seldom\", \"inside\", \"few\"]\nroutes.\"{}/*\" = {{ to = \"up\" }}\n",
        prefix(0)
    );
    let five = format!(
        "\n[middlewares.fields]\nheaders = {{ request = {{ set = {{ X-Team = \"shop\" }} }}, \
         response = {{ set = {{ X-Served-By = \"proxy\" }} }} }}\n\
         [middlewares.shorter]\nstrip-prefix = \"{}\"\n\
         [middlewares.seldom]\nrate-limit = {{ rate = \"1000000/s\" }}\n\
         [middlewares.inside]\nip-allow = {{ ranges = [\"10.0.0.0/8\", \"127.0.0.0/8\"] }}\n\
         [middlewares.few]\nin-flight = {{ amount = 1000 }}\n",
        prefix(0)
    );
    head("") + &site + &five
}

fn tls() -> String {
    let site = format!(
        "\n[sites.\"{HOST}\"]\nlisteners = [\"web\"]\nhttps = \"both\"\n\
         certificate = {{ cert = \"<cert>\", key = \"<key>\" }}\nroutes.\"{}/*\" = {{ to = \"up\" }}\n",
        prefix(0)
    );
    head("tls = true\nprotocols = [\"h1\", \"h2\"]\n") + &site
}
