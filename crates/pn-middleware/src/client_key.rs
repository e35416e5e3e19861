//! What counts as one client: a number for the value that a limit is by.

use crate::slots::Keys;
use ahash::RandomState;
use http::HeaderName;
use pn_core::context::FieldValue;
use pn_core::{BuildError, RequestContext};
use pn_model::middleware::ClientKey;
use std::net::IpAddr;

/// Turns requests into keys. The seed is random, so that nobody can aim at another client's key.
#[derive(Debug)]
pub(crate) struct Keyer {
    by: By,
}

#[derive(Debug)]
enum By {
    ClientIp,
    PeerIp,
    Host,
    Header(HeaderName),
    All,
}

impl Keyer {
    pub(crate) fn new(by: &ClientKey, kind: &str) -> Result<Self, BuildError> {
        let by = match by {
            ClientKey::ClientIp => By::ClientIp,
            ClientKey::PeerIp => By::PeerIp,
            ClientKey::Host => By::Host,
            ClientKey::All => By::All,
            ClientKey::Header(name) => By::Header(
                HeaderName::try_from(name)
                    .map_err(|_| BuildError::new([kind, "by"], format!("`{name}` is no field name")))?,
            ),
        };
        Ok(Self { by })
    }

    /// How many keys there can be.
    pub(crate) fn keys(&self) -> Keys {
        if matches!(self.by, By::All) { Keys::One } else { Keys::Many }
    }

    /// The key of a request under the seed of the state that it is looked up in.
    pub(crate) fn key(&self, cx: &RequestContext, seed: &RandomState) -> u64 {
        match &self.by {
            By::ClientIp => seed.hash_one(network(cx.client_ip())),
            By::PeerIp => seed.hash_one(network(cx.peer_ip())),
            By::Host => seed.hash_one(cx.host()),
            By::Header(name) => seed.hash_one(cx.header(name).map(FieldValue::as_bytes)),
            By::All => 1,
        }
    }
}

/// IPv6 by /64, the least that a client is given and can choose from. IPv4 stands where no /64 does.
fn network(ip: IpAddr) -> u128 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().into(),
        IpAddr::V6(ip) => u128::from(ip) & !u128::from(u64::MAX),
    }
}
