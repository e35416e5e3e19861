//! The TLS handshake of a client: the certificate and policy are chosen from the ClientHello, before any route.

use super::proxy_header::Ends;
use super::socket::Socket;
use pn_core::tls::TlsInfo;
use pn_model::limits::{ON_DEMAND_WAIT, TLS_SEND_BUFFER};
use pn_tls::{Choice, Hello, INTERNAL_ERROR, NoCertificate, TlsTable, UNRECOGNIZED_NAME};
use rustls::pki_types::UnixTime;
use std::io;
use tokio::io::AsyncWriteExt;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

/// A handshake that is done.
pub(crate) struct Shaken {
    pub(crate) stream: TlsStream<Socket>,
    pub(crate) info: TlsInfo,
    /// The site's certificate is not there yet.
    pub(crate) waits: bool,
}

/// A ClientHello that was read, and what there is for it.
pub(crate) struct Greeted {
    start: StartHandshake<Socket>,
    choice: Choice,
}

/// Reads the ClientHello and chooses. An error, here and below, means that the connection is over; the client was told
/// why where TLS has a word for it.
pub(crate) async fn greet(
    socket: Socket,
    listener: &str,
    ends: Ends,
    table: &TlsTable,
) -> io::Result<Greeted> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
    let choice = choose(&start, listener, ends, table);
    Ok(Greeted { start, choice })
}

fn choose(start: &StartHandshake<Socket>, listener: &str, ends: Ends, table: &TlsTable) -> Choice {
    let signal = pn_tls::read_signal(&start.client_hello());
    table.choose(listener, &Hello::of(&signal, ends.local.map(|local| local.ip())))
}

impl Greeted {
    /// Whether a certificate may be obtained for it now.
    pub(crate) fn is_unheld(&self) -> bool {
        matches!(self.choice, Choice::Obtain(_))
    }

    /// Waits for a certificate of a name that has none, within bounds, and chooses anew.
    pub(crate) async fn obtain(&mut self, listener: &str, ends: Ends, table: &TlsTable) {
        let Choice::Obtain(unheld) = &self.choice else { return };
        let outcome = match table.obtain(unheld) {
            Ok(waiting) => tokio::time::timeout(ON_DEMAND_WAIT, waiting).await,
            Err(refusal) => Ok(Err(refusal)),
        };
        match outcome {
            Ok(Ok(())) => self.choice = choose(&self.start, listener, ends, table),
            Ok(Err(NoCertificate::Denied)) => self.choice = Choice::Refuse,
            Ok(Err(NoCertificate::Unavailable)) | Err(_) => {}
        }
    }

    /// Runs the rest of the handshake. `None`: a CA has seen what it came for.
    pub(crate) async fn finish(self) -> io::Result<Option<Shaken>> {
        let Self { start, choice } = self;
        let serve = match choice {
            Choice::Serve(serve) => serve,
            Choice::Validate(config) => {
                // RFC 8737 section 3: nothing is said over such a connection.
                start.into_stream(config).await?.shutdown().await?;
                return Ok(None);
            }
            Choice::Obtain(_) => {
                let error = io::Error::new(io::ErrorKind::NotFound, "no certificate for this name yet");
                return Err(refuse(start.io, &INTERNAL_ERROR, error).await);
            }
            Choice::Refuse => {
                let error = io::Error::new(io::ErrorKind::PermissionDenied, "no site for this client");
                return Err(refuse(start.io, &UNRECOGNIZED_NAME, error).await);
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
}

/// Tells the client by an alert. Returns what went wrong.
async fn refuse(mut socket: Socket, alert: &[u8], error: io::Error) -> io::Error {
    let told = async {
        socket.write_all(alert).await?;
        socket.shutdown().await
    };
    told.await.err().unwrap_or(error)
}
