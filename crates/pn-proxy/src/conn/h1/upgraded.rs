//! A client's connection after a change of protocol.

use crate::conn::Io;
use pn_io::Chunk;

pub(crate) struct Upgraded {
    pub(crate) io: Io,
    /// What has been read of the new protocol.
    pub(crate) read: Chunk,
}
