//! What the simulated CA remembers.

use super::super::machine::{Identifier, Time};
use pn_model::acme::ChallengeKind;
use serde_json::Value;

#[derive(Debug, Clone)]
pub(crate) struct SimAccount {
    pub(crate) jwk: Value,
    pub(crate) contact: Value,
    pub(crate) status: &'static str,
}

#[derive(Debug, Clone)]
pub(crate) struct SimOrder {
    pub(crate) account: usize,
    pub(crate) names: Vec<Identifier>,
    pub(crate) made_at: Time,
    pub(crate) status: &'static str,
    pub(crate) profile: Option<String>,
    pub(crate) replaces: Option<String>,
    pub(crate) certificate: Option<usize>,
    pub(super) authorizations: Vec<usize>,
    pub(super) csr: Vec<u8>,
    /// When a processing order is valid.
    pub(super) valid_at: Time,
}

#[derive(Debug, Clone)]
pub(super) struct SimAuthorization {
    pub(super) account: usize,
    pub(super) identifier: Identifier,
    pub(super) wildcard: bool,
    pub(super) status: &'static str,
    /// Until when it is used again.
    pub(super) valid_until: Time,
    pub(super) challenges: Vec<SimChallenge>,
}

#[derive(Debug, Clone)]
pub(super) struct SimChallenge {
    pub(super) kind: ChallengeKind,
    pub(super) token: String,
    pub(super) status: &'static str,
    /// When the CA looks.
    pub(super) look_at: Option<Time>,
}
