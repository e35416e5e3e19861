//! What streams of HTTP/2 carry, for both sides of the proxy: bodies as fast as windows let them go, tunnels, and whether
//! the peer of a silent connection still lives. Frames and windows themselves are the h2 crate's.

mod heard;
mod ping;
mod receiving;
mod sending;
mod tunnel;

pub(crate) use heard::Heard;
pub(crate) use ping::{Ping, Pinged, Waits};
pub(crate) use receiving::{Receiving, has_padding};
pub(crate) use sending::Sending;
pub(crate) use tunnel::Tunnel;
