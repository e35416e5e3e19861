//! The TLS handshake of a client: the certificate and policy are chosen from the ClientHello, before any route.

use super::proxy_header::Ends;
use super::socket::Socket;
use pn_core::tls::TlsInfo;
use pn_model::limits::TLS_SEND_BUFFER;
use pn_tls::{Choice, Hello, TlsTable, UNRECOGNIZED_NAME};
use rustls::pki_types::UnixTime;
use std::io;
use tokio::io::AsyncWriteExt;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::server::TlsStream;

/// A handshake that is done.
pub(crate) struct Shaken {
    pub(crate) stream: TlsStream<Socket>,
    pub(crate) info: TlsInfo,
    /// The site's certificate is not there yet.
    pub(crate) waits: bool,
}

/// Runs the handshake. An error means that the connection is over; the client was told why where TLS has a word for it.
/// `None`: a CA has seen what it came for.
pub(crate) async fn accept(
    socket: Socket,
    listener: &str,
    ends: Ends,
    table: &TlsTable,
) -> io::Result<Option<Shaken>> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
    let signal = pn_tls::read_signal(&start.client_hello());
    let hello = Hello::of(&signal, ends.local.map(|local| local.ip()));
    let serve = match table.choose(listener, &hello) {
        Choice::Serve(serve) => serve,
        Choice::Validate(config) => {
            // RFC 8737 section 3: nothing is said over such a connection.
            start.into_stream(config).await?.shutdown().await?;
            return Ok(None);
        }
        Choice::Refuse => {
            let mut socket = start.io;
            socket.write_all(&UNRECOGNIZED_NAME).await?;
            socket.shutdown().await?;
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "no site for this client"));
        }
    };
    let config = serve.config.clone();
    let mut stream = start.into_stream(config).await?;
    stream.get_mut().1.set_buffer_limit(Some(TLS_SEND_BUFFER));
    let (_, connection) = stream.get_ref();
    let info = pn_tls::finished(connection, &serve, UnixTime::now())
        .map_err(|expired| io::Error::new(io::ErrorKind::PermissionDenied, expired))?;
    Ok(Some(Shaken { stream, info, waits: serve.waits }))
}
