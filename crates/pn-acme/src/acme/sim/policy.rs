//! What the simulated CA does and does badly.

use super::super::machine::{Identifier, Time};
use pn_model::acme::ChallengeKind;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Delays in seconds, chances in percent.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) lifetime: u64,
    /// Lifetimes by the name of the profile.
    pub(crate) profiles: BTreeMap<String, u64>,
    pub(crate) offered: Vec<ChallengeKind>,
    /// How long a proven name needs no second proof.
    pub(crate) reuse: u64,
    pub(crate) validation: u64,
    pub(crate) issuance: u64,
    /// Said with what is not done yet.
    pub(crate) poll_after: Option<String>,
    pub(crate) replaces: Replaces,
    pub(crate) renewal_info: bool,
    /// Said with renewal information.
    pub(crate) ask_after: Option<u64>,
    /// Part of the life at which the suggested window begins, in percent; it lasts two percent.
    pub(crate) window_at: u64,
    /// `kid` and secret.
    pub(crate) eab: Option<(String, Vec<u8>)>,
    /// So many orders in so long; further ones are 429 with Retry-After.
    pub(crate) orders_per: Option<(usize, u64)>,
    /// Refused before any proof.
    pub(crate) refused: BTreeSet<Identifier>,
    /// Never proven, whatever is presented.
    pub(crate) unprovable: BTreeSet<Identifier>,
    /// Orders stay pending, whatever becomes of their authorizations.
    pub(crate) stuck: bool,
    /// Authorizations stay pending when their challenge has failed.
    pub(crate) lingering: bool,
    /// The order does not say why it failed, as its authorizations do.
    pub(crate) silent: bool,
    pub(crate) bad_nonces: u8,
    pub(crate) unreachable: u8,
    /// The request is carried out, and the answer is lost.
    pub(crate) lost_answers: u8,
    pub(crate) server_errors: u8,
    pub(crate) malformed: u8,
    pub(crate) outages: Vec<Range<Time>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replaces {
    Echoed,
    Ignored,
    Refused,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            lifetime: 90 * 86_400,
            profiles: BTreeMap::new(),
            offered: ChallengeKind::ALL.to_vec(),
            reuse: 0,
            validation: 2,
            issuance: 1,
            poll_after: None,
            replaces: Replaces::Echoed,
            renewal_info: true,
            ask_after: Some(6 * 3600),
            window_at: 66,
            eab: None,
            orders_per: None,
            refused: BTreeSet::new(),
            unprovable: BTreeSet::new(),
            stuck: false,
            lingering: false,
            silent: false,
            bad_nonces: 0,
            unreachable: 0,
            lost_answers: 0,
            server_errors: 0,
            malformed: 0,
            outages: Vec::new(),
        }
    }
}
