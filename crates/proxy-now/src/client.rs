//! Asks a running process by its admin address.

use anyhow::{Result, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// A connection is there at once, or nobody listens.
const CONNECT: Duration = Duration::from_secs(10);
/// A reload of many sites binds, reads and compiles, and a CA is waited for; longer than this means that the process
/// hangs.
const ANSWER: Duration = Duration::from_secs(60);
const BODY_BYTES: usize = 64 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// An answer, whatever its status.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

/// Why nothing was answered; each has a remedy of its own.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    Unreached(String),
    /// Within this time. Whatever was asked for may be done.
    Silent(Duration),
    /// Something is there that is not ours, or ended.
    Broken(String),
}

/// The outer error is a wrong address; the inner one that nobody answers there.
pub(crate) fn ask(method: &Method, address: &str, path: &str) -> Result<Result<Answer, NoAnswer>> {
    let place = parse(address)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        match &place {
            Address::Tcp(to) => {
                answer(connect(TcpStream::connect(to)).await?, method, path, &to.to_string()).await
            }
            Address::Unix(to) => {
                answer(connect(UnixStream::connect(to)).await?, method, path, "localhost").await
            }
        }
    }))
}

async fn connect<S>(connecting: impl Future<Output = io::Result<S>>) -> Result<S, NoAnswer> {
    let connected = timeout(CONNECT, connecting).await;
    let connected =
        connected.map_err(|_| NoAnswer::Unreached(format!("no connection within {CONNECT:?}")))?;
    connected.map_err(|error| NoAnswer::Unreached(error.to_string()))
}

async fn answer<S>(stream: S, method: &Method, path: &str, host: &str) -> Result<Answer, NoAnswer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answered = timeout(ANSWER, exchange(stream, method, path, host)).await;
    answered.map_err(|_| NoAnswer::Silent(ANSWER))?.map_err(|error| NoAnswer::Broken(format!("{error:#}")))
}

fn parse(address: &str) -> Result<Address> {
    if let Some(path) = address.strip_prefix("unix:") {
        return Ok(Address::Unix(path.into()));
    }
    let plain = address.strip_prefix("http://").unwrap_or(address);
    let numeric = plain.replace("localhost:", "127.0.0.1:");
    match numeric.parse() {
        Ok(address) => Ok(Address::Tcp(address)),
        Err(_) => bail!("`{address}` is no admin address: write 127.0.0.1:8079 or unix:/path"),
    }
}

async fn exchange<S>(stream: S, method: &Method, path: &str, host: &str) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let request =
        Request::builder().method(method).uri(path).header("host", host).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), BODY_BYTES).collect().await;
    driver.abort();
    let body = body.map_err(|error| anyhow::anyhow!("{error}"))?.to_bytes();
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let tcp = |text: &str| Some(Address::Tcp(text.parse().unwrap()));
        for (text, expected) in [
            ("127.0.0.1:8079", tcp("127.0.0.1:8079")),
            ("localhost:80", tcp("127.0.0.1:80")),
            ("http://[::1]:1", tcp("[::1]:1")),
            ("unix:/run/p.sock", Some(Address::Unix("/run/p.sock".into()))),
            ("8079", None),
            ("example.com:80", None),
        ] {
            assert_eq!(parse(text).ok(), expected, "{text}");
        }
    }

    /// What is told when the other side does this.
    async fn told(does: impl AsyncFnOnce(tokio::io::DuplexStream)) -> NoAnswer {
        let (near, far) = tokio::io::duplex(1024);
        let asked = answer(near, &Method::GET, "/", "localhost");
        let (told, ()) = tokio::join!(asked, does(far));
        told.map(|answer| answer.status).unwrap_err()
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_no_absence() {
        let hangs = told(async |far| {
            tokio::time::sleep(2 * ANSWER).await;
            drop(far);
        });
        let hangs = hangs.await;
        assert!(matches!(hangs, NoAnswer::Silent(ANSWER)), "{hangs:?}");
        let leaves = told(async |far| drop(far)).await;
        assert!(matches!(leaves, NoAnswer::Broken(_)), "{leaves:?}");
        let refused = async { Err::<(), _>(io::ErrorKind::ConnectionRefused.into()) };
        assert!(matches!(connect(refused).await, Err(NoAnswer::Unreached(_))));
        assert!(matches!(connect::<()>(std::future::pending()).await, Err(NoAnswer::Unreached(_))));
    }
}
