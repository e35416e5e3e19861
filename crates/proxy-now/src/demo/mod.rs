//! Configurations that are written here instead of in a file: `demo` and `reverse-proxy`. They go the way of every
//! other configuration.

mod upstream;

use crate::cli::{Demo, ReverseProxy, Serve};
use crate::inputs::Inputs;
use crate::output;
use crate::serve::{Launch, Ready, Serving, serve};
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::process::ExitCode;

/// The demo's sites.
const APP: &str = "app.localhost";
const API: &str = "api.localhost";

pub(crate) fn demo(options: Demo) -> Result<ExitCode> {
    let ports = Ports::of(options.http_port, options.https_port);
    let admin = options.admin.as_deref().unwrap_or("127.0.0.1:8079");
    let upstreams = [upstream::start("blue")?, upstream::start("green")?];
    let text = demo_text(ports, admin, &upstreams.map(|address| format!("http://{address}")));
    if options.print_config {
        output::print(&text);
        return Ok(ExitCode::SUCCESS);
    }
    let admin = admin.to_owned();
    let ready: Ready = Box::new(move |serving| output::print(&what_to_open(serving, ports, &admin)));
    let options = Serve { state_dir: options.state_dir, ..Serve::default() };
    serve(Launch { inputs: Inputs::text("demo", text), options, ready: Some(ready) })
}

pub(crate) fn reverse_proxy(options: ReverseProxy) -> Result<ExitCode> {
    let from = From::parse(&options.from)?;
    let text = reverse_proxy_text(&from, &options.to, options.admin.as_deref().unwrap_or("off"));
    if options.print_config {
        output::print(&text);
        return Ok(ExitCode::SUCCESS);
    }
    let ready: Ready = Box::new(move |serving| output::print(&curl(serving, &from.host, from.https)));
    let options = Serve { state_dir: options.state_dir, ..Serve::default() };
    serve(Launch { inputs: Inputs::text("reverse-proxy", text), options, ready: Some(ready) })
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    http: u16,
    https: u16,
}

impl Ports {
    fn of(http: Option<u16>, https: Option<u16>) -> Self {
        let root = rustix::process::geteuid().is_root();
        let (low, high) = if root { (80, 443) } else { (8080, 8443) };
        Self { http: http.unwrap_or(low), https: https.unwrap_or(high) }
    }
}

/// The site of `reverse-proxy`. `http` is `None` when the user named the one port to serve.
#[derive(Debug, PartialEq, Eq)]
struct From {
    host: String,
    http: Option<u16>,
    https: u16,
}

impl From {
    fn parse(text: &str) -> Result<Self> {
        if text.starts_with("http://") {
            bail!(
                "--from is served over HTTPS: name the host alone, such as app.localhost (plain HTTP is sent there)"
            );
        }
        let plain = text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/');
        let (host, port) = match plain.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().with_context(|| format!("`{port}` is no port"))?))
            }
            _ => (plain, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains('/') {
            bail!("--from is a host with or without a port, such as app.localhost or app.localhost:8443");
        }
        let ports = Ports::of(None, port);
        Ok(Self { host: host.to_owned(), http: port.is_none().then_some(ports.http), https: ports.https })
    }
}

fn demo_text(ports: Ports, admin: &str, upstreams: &[String; 2]) -> String {
    let Ports { http, https } = ports;
    let [blue, green] = upstreams;
    format!(
        r#"# The demo of proxy-now. Two sites over HTTPS, certified by the internal CA.
[listeners.web]
address = "127.0.0.1:{http}"

[listeners.websecure]
address = "127.0.0.1:{https}"

[sites."{APP}"]                          # two upstreams, in turn
to = "app"

[sites."{API}"]
to = "@whoami"                                   # shows what an upstream would see
routes."/limited/*" = {{ use = ["slow-down"], to = "@whoami" }}
routes."/teapot" = {{ to = "teapot" }}

[services.app]
servers = ["{blue}", "{green}"]
health-check = {{ path = "/healthz", interval = "5s" }}

[services.teapot]
respond = {{ status = 418, body = "short and stout\n" }}

[middlewares.slow-down]
rate-limit = {{ rate = "2/s", burst = 2 }}

[admin]
address = {admin:?}

[logs]
format = "text"
"#
    )
}

fn reverse_proxy_text(from: &From, to: &[String], admin: &str) -> String {
    let mut text = format!("[listeners.websecure]\naddress = \":{}\"\n\n", from.https);
    if let Some(http) = from.http {
        text += &format!("[listeners.web]\naddress = \":{http}\"\n\n");
    }
    text += &format!("[sites.{:?}]\nto = \"upstream\"\n", from.host);
    if from.http.is_none() {
        text += "listeners = [\"websecure\"]\n";
    }
    text + &format!("\n[services.upstream]\nservers = {to:?}\n\n[admin]\naddress = {admin:?}\n")
}

fn what_to_open(serving: &Serving, ports: Ports, admin: &str) -> String {
    let mut text = String::from("\nproxy-now demo: two sites, HTTPS by an internal CA. Try:\n\n");
    for (host, path) in [(APP, "/"), (API, "/"), (API, "/teapot"), (API, "/limited/")] {
        text += &format!("  {}\n", command(serving, host, ports.https, path));
    }
    // Writing to a String cannot fail.
    writeln!(
        text,
        "  curl -i --resolve {APP}:{}:127.0.0.1 http://{APP}:{}/    # to HTTPS",
        ports.http, ports.http
    )
    .unwrap_or_default();
    writeln!(text, "  curl http://{admin}/api/status").unwrap_or_default();
    let own = serving.state_dir.display();
    writeln!(
        text,
        "\nIn a browser: https://{APP}:{}/ once the root is trusted: proxy-now trust --state-dir {own}",
        ports.https
    )
    .unwrap_or_default();
    text += "The demo's configuration: proxy-now demo --print-config. Ctrl-C ends it.\n\n";
    text
}

fn curl(serving: &Serving, host: &str, port: u16) -> String {
    format!("\n  {}\n\n", command(serving, host, port, "/"))
}

fn command(serving: &Serving, host: &str, port: u16, path: &str) -> String {
    let root = serving.state_dir.join("internal-ca/root.crt");
    format!("curl --cacert {} --resolve {host}:{port}:127.0.0.1 https://{host}:{port}{path}", root.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from() {
        let own = Ports::of(None, None);
        let both = |host: &str| Some(From { host: host.to_owned(), http: Some(own.http), https: own.https });
        let one = |host: &str, https| Some(From { host: host.to_owned(), http: None, https });
        for (text, expected) in [
            ("app.localhost", both("app.localhost")),
            ("https://app.localhost/", both("app.localhost")),
            ("app.localhost:9443", one("app.localhost", 9443)),
            ("[::1]:9443", one("::1", 9443)),
            ("[::1]", both("::1")),
            ("app.localhost:x", None),
            ("app.localhost/path", None),
            ("http://app.localhost", None),
            ("", None),
        ] {
            assert_eq!(From::parse(text).ok(), expected, "{text}");
        }
    }
}
