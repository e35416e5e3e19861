//! The server's side of a changed protocol (WebSocket and others): bytes both ways.

use super::h2::StreamPlace;
use super::load::InFlight;
use super::room::Place;
use super::stream::Stream;
use crate::flow::Tunnel;
use crate::wire::either_data_stream;
use pn_io::reactor::ReactorStream;
use pn_io::{Chunk, Over};
use std::fmt;
use std::rc::Rc;

/// What follows the answer. Dropped, it closes the connection or resets the stream.
pub(crate) struct UpstreamTunnel {
    pub(crate) ends: Ends,
    /// What has been read of the new protocol.
    pub(crate) read: Chunk,
    _held: Held,
    _load: Option<InFlight>,
}

pub(crate) enum Ends {
    H1(Stream),
    H2(Box<Over<Tunnel<()>>>),
}

/// What the tunnel takes up as long as it is there.
pub(super) enum Held {
    Connection { _place: Rc<Place> },
    Stream { _place: StreamPlace },
}

either_data_stream!(Ends { H1, H2 });

impl UpstreamTunnel {
    pub(super) fn new(ends: Ends, read: Chunk, held: Held, load: Option<InFlight>) -> Self {
        Self { ends, read, _held: held, _load: load }
    }
}

impl Ends {
    /// The connection, where it is one without TLS.
    pub(crate) fn plain(&mut self) -> Option<&mut ReactorStream> {
        match self {
            Self::H1(Stream::Plain(stream)) => Some(stream),
            Self::H1(Stream::Tls(_)) | Self::H2(_) => None,
        }
    }
}

impl fmt::Debug for UpstreamTunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpstreamTunnel")
    }
}
