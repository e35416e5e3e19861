//! What hyper makes of a connection's bytes, over a duplex in memory.
#![expect(clippy::expect_used, reason = "a stage that does not stand is a failed test")]

use super::{Pairs, Seen, Told, sorted, without_barred};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};

/// Room for all input and all answers to it, so that one side can write everything before the other reads.
fn room(input: &[u8]) -> usize {
    (16 << 10) + 16 * input.len()
}

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().build().expect("a runtime");
}

/// The requests that hyper's server gives to its service, and the status or words with which it ended otherwise.
pub(crate) fn hyper_requests(input: &[u8]) -> Told<String> {
    RUNTIME.with(|runtime| runtime.block_on(serve(input)))
}

async fn serve(input: &[u8]) -> Told<String> {
    let (mut client, server) = duplex(room(input));
    client.write_all(input).await.expect("room for all");
    client.shutdown().await.expect("a duplex");
    let seen = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let seen = Rc::clone(&seen);
        async move {
            let (head, body) = request.into_parts();
            let line = format!("{} {}", head.method, target(&head.uri));
            let message = message(line, &head.headers, body).await;
            seen.borrow_mut().push(message);
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    let served = builder.half_close(true).serve_connection(TokioIo::new(server), service).await;
    let mut output = String::new();
    client.read_to_string(&mut output).await.expect("statuses are text");
    let answered = output.split("HTTP/1.1 ").filter(|line| line.starts_with('4')).last();
    let answered = answered.map(|line| line.chars().take(3).collect());
    let failed = served.err().filter(|error| !error.is_incomplete_message()).map(|error| error.to_string());
    Told { messages: seen.take(), refused: answered.or(failed) }
}

/// The final response that hyper's client gives, or its words.
pub(crate) fn hyper_response(method: &Method, input: &[u8]) -> Told<String> {
    RUNTIME.with(|runtime| runtime.block_on(ask(method, input)))
}

async fn ask(method: &Method, input: &[u8]) -> Told<String> {
    let (client, server) = duplex(room(input));
    let (mut send, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(client)).await.expect("nothing is sent yet");
    let request = Request::builder().method(method).uri("/").header("host", "a").body(Empty::<Bytes>::new());
    let asked = async {
        let response =
            send.send_request(request.expect("a request")).await.map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        Ok(message(head.status.as_str().to_owned(), &head.headers, body).await)
    };
    let (asked, _, ()) = tokio::join!(asked, connection, answer(server, input));
    match asked {
        Ok(message) => Told { messages: vec![message], refused: None },
        Err(error) => Told { messages: Vec::new(), refused: Some(error) },
    }
}

/// An upstream that answers once it was asked, and closes.
async fn answer(mut server: DuplexStream, input: &[u8]) {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") && server.read_buf(&mut asked).await.is_ok_and(|read| read > 0) {}
    let sent = server.write_all(input).await;
    drop(sent);
}

async fn message(line: String, headers: &HeaderMap, body: Incoming) -> Seen {
    let collected = body.collect().await.ok();
    let trailers = collected.as_ref().and_then(|body| body.trailers()).map(pairs).unwrap_or_default();
    Seen {
        line,
        fields: pairs(headers),
        trailers: without_barred(trailers),
        body: collected.map(|body| body.to_bytes().to_vec()),
    }
}

fn pairs(headers: &HeaderMap) -> Pairs {
    sorted(
        headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect(),
    )
}

fn target(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
    format!("{authority} {}{query}", uri.path())
}
