//! A proxy with one site on plain HTTP, `app.test`, whose service `app` each row describes.

use pn_testkit::{Origin, Proxy, RawOrigin, Reply};

pub(crate) const HOST: &str = "app.test";
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The text of `[services.app]`, after which other tables may follow. There is one worker, so that turns are exact.
pub(crate) fn config(service: &str) -> String {
    format!(
        r#"
[runtime]
workers = 1

[listeners.web]
address = "127.0.0.1:<port:web>"

[sites."app.test"]
https = "off"
to = "app"

[services.app]
{service}
"#
    )
}

pub(crate) fn start(service: &str) -> Proxy {
    Proxy::start(&config(service))
}

pub(crate) fn get(proxy: &Proxy, path: &str) -> Reply {
    proxy.get("web", HOST, path)
}

pub(crate) fn url(origin: &Origin) -> String {
    format!("http://{}", origin.addr())
}

pub(crate) fn raw_url(origin: &RawOrigin) -> String {
    format!("http://{}", origin.addr())
}

pub(crate) fn named<const N: usize>(names: [&str; N]) -> [Origin; N] {
    names.map(|name| Origin::setup().name(name).http1())
}

/// `servers = [..]` of these.
pub(crate) fn servers(origins: &[Origin]) -> String {
    format!("servers = {:?}\n", origins.iter().map(url).collect::<Vec<_>>())
}

/// How many requests each was asked, health checks apart.
pub(crate) fn shares<'a>(origins: impl IntoIterator<Item = &'a Origin>) -> Vec<usize> {
    let asked = |origin: &Origin| origin.requests().iter().filter(|one| one.target != "/healthz").count();
    origins.into_iter().map(asked).collect()
}

/// Whether health checks find the server up.
pub(crate) fn is_up(proxy: &Proxy, url: &str) -> bool {
    proxy.metrics().value("traefik_service_server_up", &[("service", "app"), ("url", url)]) > 0.5
}
