//! Upstreams of the demo, within the process: they say their name and what they were asked.

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Runs until the process ends, on a thread of its own.
pub(super) fn start(name: &'static str) -> Result<SocketAddr> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("the demo's upstream cannot listen")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new()
        .name(format!("demo-{name}"))
        .spawn(move || runtime.block_on(run(name, listener)))?;
    Ok(address)
}

async fn run(name: &'static str, listener: TcpListener) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        let answer =
            service_fn(move |request| std::future::ready(Ok::<_, Infallible>(answer(name, &request))));
        // A client that goes away is not worth a word.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

fn answer(name: &str, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let field = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("-");
    let text = format!(
        "Hello from the {name} upstream.\n\nYou asked for {} {}\nHost: {}\nX-Forwarded-Proto: {}\nX-Forwarded-For: {}\n",
        request.method(),
        request.uri(),
        field("host"),
        field("x-forwarded-proto"),
        field("x-forwarded-for"),
    );
    let mut response = Response::new(Full::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
