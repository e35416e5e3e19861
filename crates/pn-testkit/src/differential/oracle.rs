//! The least that is a reverse proxy, on hyper's HTTP/1: no pool, no limits, one upstream. Its interim responses are lost,
//! as hyper's server cannot send any.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::runtime;

type Body = BoxBody<Bytes, hyper::Error>;

/// Fields of one connection that need no listing in `Connection` (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Starts it in front of this origin; it lives as long as the process.
pub(super) fn start(origin: SocketAddr) -> SocketAddr {
    let bound = runtime::finish("a port", TcpListener::bind("127.0.0.1:0"));
    let listener = bound.expect("a port");
    let address = listener.local_addr().expect("an address");
    runtime::handle().spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, origin));
        }
    });
    address
}

async fn serve(stream: TcpStream, origin: SocketAddr) {
    stream.set_nodelay(true).ok();
    let service = service_fn(move |request| forward(request, origin));
    let connection = server::Builder::new().half_close(true).serve_connection(TokioIo::new(stream), service);
    // How it ends is for the client to see.
    connection.with_upgrades().await.ok();
}

async fn forward(request: Request<Incoming>, origin: SocketAddr) -> Result<Response<Body>, hyper::Error> {
    Ok(ask(request, origin).await.unwrap_or_else(|_| {
        let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed());
        *answer.status_mut() = StatusCode::BAD_GATEWAY;
        answer
    }))
}

async fn ask(mut request: Request<Incoming>, origin: SocketAddr) -> Result<Response<Body>, String> {
    if request.method() == Method::CONNECT {
        return Err("no tunnels".to_owned());
    }
    let client = hyper::upgrade::on(&mut request);
    prepare(&mut request)?;
    let stream = TcpStream::connect(origin).await.map_err(|error| error.to_string())?;
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut send, connection) = shaken.map_err(|error| error.to_string())?;
    tokio::spawn(connection.with_upgrades());
    let mut response = send.send_request(request).await.map_err(|error| error.to_string())?;
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let upgrade = response.headers().get(UPGRADE).filter(|_| switches).cloned();
    if switches {
        let server = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            if let (Ok(client), Ok(server)) = tokio::join!(client, server) {
                tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(server))
                    .await
                    .ok();
            }
        });
    }
    // Of its own, whatever the upstream's is.
    *response.version_mut() = Version::HTTP_11;
    settle_length(response.headers_mut());
    strip(response.headers_mut(), upgrade);
    Ok(response.map(BodyExt::boxed))
}

/// The request as it goes on.
fn prepare(request: &mut Request<Incoming>) -> Result<(), String> {
    let authority = request.uri().authority().map(ToString::to_string);
    if let Some(authority) = authority {
        let host = HeaderValue::try_from(authority).map_err(|error| error.to_string())?;
        request.headers_mut().insert(HOST, host);
    }
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    *request.uri_mut() = target.parse::<Uri>().map_err(|error| error.to_string())?;
    let old = request.version() == Version::HTTP_10;
    let asked = listed(request.headers()).iter().any(|name| name == "upgrade");
    let upgrade = request.headers().get(UPGRADE).filter(|_| asked && !old).cloned();
    strip(request.headers_mut(), upgrade);
    request.headers_mut().remove(EXPECT);
    if !request.body().is_end_stream() && !request.headers().contains_key(CONTENT_LENGTH) {
        // Without it hyper sends no body of a GET.
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    *request.version_mut() = Version::HTTP_11;
    Ok(())
}

/// hyper's client decides by one length or coding and leaves the others there, which its server stumbles over.
fn settle_length(headers: &mut HeaderMap) {
    let coded = headers.contains_key(TRANSFER_ENCODING);
    if let Some(length) = headers.remove(CONTENT_LENGTH).filter(|_| !coded) {
        headers.insert(CONTENT_LENGTH, length);
    }
}

fn strip(headers: &mut HeaderMap, upgrade: Option<HeaderValue>) {
    for name in listed(headers) {
        headers.remove(name);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    if let Some(upgrade) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, upgrade);
    }
}

/// What `Connection` lists.
fn listed(headers: &HeaderMap) -> Vec<String> {
    let mut names = Vec::new();
    for value in headers.get_all(CONNECTION) {
        // A byte that is none of a name spoils that name alone.
        let value = String::from_utf8_lossy(value.as_bytes());
        names.extend(value.split(',').map(|name| name.trim().to_ascii_lowercase()));
    }
    names.into_iter().filter(|name| HeaderName::try_from(name.as_str()).is_ok()).collect()
}
