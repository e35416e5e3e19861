//! What puts TXT records into a zone and takes them out again. Several values stand at one name at the same time (a
//! name and its wildcard share one), so a presenter adds and removes by value and never replaces.

use std::fmt;
use std::time::Duration;

use super::error::DnsError;
use crate::storage::BoxFuture;

/// One TXT record, and the challenge it is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxtRecord {
    /// Absolute: it ends in a dot. Where `_acme-challenge` is an alias, this is where it leads.
    pub fqdn: String,
    pub value: String,
    pub ttl: Duration,
    /// For providers that compute name and value themselves. `None` where no challenge of dns-01 stands behind it.
    pub raw: Option<RawChallenge>,
}

/// The parts of a dns-01 challenge (RFC 8555 section 8.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawChallenge {
    /// Without the `*.` of a wildcard.
    pub domain: String,
    pub token: String,
    pub key_authorization: String,
}

pub trait DnsPresenter: Send + Sync + fmt::Debug {
    /// Adds the value beside those that are there. Adding it twice is no error.
    fn append<'a>(&'a self, record: &'a TxtRecord) -> BoxFuture<'a, Result<(), DnsError>>;

    /// Removes this value and leaves others. Removing what is not there is no error.
    fn remove<'a>(&'a self, record: &'a TxtRecord) -> BoxFuture<'a, Result<(), DnsError>>;
}

/// What is done with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Append,
    Remove,
}

impl Change {
    /// As error messages say it.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Append => "add",
            Self::Remove => "remove",
        }
    }

    /// As lego says it to programs and services.
    pub(super) fn lego(self) -> &'static str {
        match self {
            Self::Append => "present",
            Self::Remove => "cleanup",
        }
    }
}
