//! Sets of known fields: what a head has, what is dropped, what is skipped.

use crate::known::{CLAIMS, Known};

/// A set of known fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KnownSet(u64);

impl KnownSet {
    pub const NONE: Self = Self(0);
    /// What says where a request came from.
    pub const CLAIMS: Self = {
        let (mut set, mut at) = (Self::of(&[Known::ClaimAlias]), 0);
        while at < CLAIMS.len() {
            set = set.with(Self::of(&[CLAIMS[at].0]));
            at += 1;
        }
        set
    };
    /// What belongs to one connection, listed by `Connection` or not (RFC 9110 section 7.6.1). `Trailer` does not:
    /// trailers are forwarded.
    pub const HOP_BY_HOP: Self = Self::of(&[
        Known::Connection,
        Known::KeepAlive,
        Known::ProxyAuthenticate,
        Known::ProxyAuthorization,
        Known::ProxyConnection,
        Known::Te,
        Known::TransferEncoding,
        Known::Upgrade,
    ]);

    pub const fn of(known: &[Known]) -> Self {
        let (mut set, mut at) = (0, 0);
        while at < known.len() {
            set |= 1 << known[at] as u8;
            at += 1;
        }
        Self(set)
    }

    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub const fn has(self, known: Known) -> bool {
        self.0 >> known as u8 & 1 == 1
    }

    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}
