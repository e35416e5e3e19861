//! The streams of upstream connections: with or without TLS, behind one type.

use pn_io::Over;
use pn_io::reactor::{Gulping, ReactorStream};
use tokio_rustls::client::TlsStream;

pub(crate) enum Stream {
    Plain(ReactorStream),
    Tls(Box<Over<TlsStream<Gulping>>>),
}

crate::wire::either_stream!(Stream { Plain, Tls });
