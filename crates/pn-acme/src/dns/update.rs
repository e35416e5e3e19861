//! The presenter that sends dynamic updates (RFC 2136), signed by TSIG (RFC 8945), by TCP.

use std::fmt;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hickory_proto::op::{Message, ResponseCode, update_message};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::rdata::tsig::{TSIG, TsigAlgorithm, TsigError};
use hickory_proto::rr::{Name, RData, RecordSet, RecordType, TSigner};
use pn_model::acme::{Tsig, TsigAlgorithm as Algorithm};

use super::error::DnsError;
use super::exchange::{address_of, decode, send};
use super::presenter::{Change, DnsPresenter, TxtRecord};
use super::zone::{absolute, code_name, zone_at};
use crate::storage::BoxFuture;

/// Seconds that the clocks of both sides may differ by (RFC 8945 section 10).
const FUDGE: u16 = 300;
/// Bytes of one string of a TXT record (RFC 1035 section 3.3).
const STRING_BYTES: usize = 255;

pub struct Rfc2136 {
    server: String,
    signer: Option<TSigner>,
    clock: fn() -> u64,
}

impl Rfc2136 {
    /// `server`: the zone's primary, as `host:port`. Without a key the server must allow updates from this address.
    pub fn new(server: &str, tsig: Option<&Tsig>) -> Result<Self, DnsError> {
        let signer = tsig.map(signer).transpose()?;
        Ok(Self { server: server.to_owned(), signer, clock: seconds_since_1970 })
    }

    /// With another clock than the system's.
    #[cfg(test)]
    pub(super) fn at(mut self, clock: fn() -> u64) -> Self {
        self.clock = clock;
        self
    }

    async fn update(&self, record: &TxtRecord, change: Change) -> Result<(), DnsError> {
        let server = address_of(&self.server).await?;
        let fault = |reason: String| DnsError::Update {
            server,
            action: change.verb(),
            fqdn: record.fqdn.clone(),
            reason,
        };
        let name = absolute(&record.fqdn)?;
        let zone = zone_at(server, &name, false).await?;
        let zone = zone.ok_or_else(|| fault(NO_ZONE.to_owned()))?.apex;
        let records = record_set(name, record);
        let message = match change {
            Change::Append => update_message::append(records, zone.clone(), false, false),
            Change::Remove => update_message::delete_by_rdata(records, zone.clone(), false),
        };
        self.transact(server, message).await?.map_err(|refusal| fault(refusal.explain(&zone, self)))
    }

    /// Sends it signed. The inner error is the server's refusal, or a signature of its that is not right.
    async fn transact(
        &self,
        server: SocketAddr,
        mut message: Message,
    ) -> Result<Result<(), Refusal>, DnsError> {
        let malformed = |error| DnsError::name(&self.server, &error);
        let signed = self.signer.as_ref().map(|signer| message.finalize(signer, (self.clock)())).transpose();
        let verifier = signed.map_err(malformed)?.flatten();
        let bytes = send(server, &message.to_vec().map_err(malformed)?).await?;
        let answer = decode(server, &bytes)?;
        if let Some(refusal) = Refusal::of(&answer) {
            return Ok(Err(refusal));
        }
        let verified = verifier.map(|mut verifier| verifier.verify(&bytes)).transpose();
        Ok(verified.map(drop).map_err(|_| Refusal::Forged))
    }
}

impl fmt::Debug for Rfc2136 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.signer.as_ref().map(|signer| signer.signer_name().to_ascii());
        f.debug_struct("Rfc2136").field("server", &self.server).field("key", &key).finish_non_exhaustive()
    }
}

impl DnsPresenter for Rfc2136 {
    fn append<'a>(&'a self, record: &'a TxtRecord) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(self.update(record, Change::Append))
    }

    fn remove<'a>(&'a self, record: &'a TxtRecord) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(self.update(record, Change::Remove))
    }
}

const NO_ZONE: &str = "it has no zone for that name; let `server` name the primary of the zone, and let it answer \
                       SOA questions from here";

/// Why a server did not do it.
#[derive(Debug)]
enum Refusal {
    Code(ResponseCode),
    /// It does not accept the signature. What it says is not signed itself, so it serves for the message only.
    Signature {
        error: TsigError,
        server_time: Option<u64>,
    },
    /// It said yes, but not with our key.
    Forged,
}

impl Refusal {
    fn of(answer: &Message) -> Option<Self> {
        let tsig = answer.signature.as_ref().map(|record| &record.data);
        if let Some((error, tsig)) = tsig.and_then(|tsig| Some((tsig.error?, tsig))) {
            return Some(Self::Signature { error, server_time: server_time(tsig) });
        }
        (answer.response_code != ResponseCode::NoError).then_some(Self::Code(answer.response_code))
    }

    fn explain(&self, zone: &Name, client: &Rfc2136) -> String {
        let zone = zone.to_ascii();
        match self {
            Self::Signature { error, server_time } => client.explain_signature(*error, *server_time),
            Self::Forged => {
                "its answer is not signed with the key; is this the name server, or something between?"
                    .to_owned()
            }
            Self::Code(ResponseCode::Refused) => format!(
                "REFUSED; the zone {zone} must allow it, as by `update-policy {{ grant {} zonesub TXT; }};` in BIND; \
                 where the zone does, this is a secondary: let `server` name the primary",
                client.key_name()
            ),
            Self::Code(ResponseCode::NotAuth) => {
                format!("NOTAUTH; it is not the primary of the zone {zone}: let `server` name that")
            }
            Self::Code(ResponseCode::NotZone) => format!("NOTZONE; the name is not in its zone {zone}"),
            Self::Code(ResponseCode::NotImp) => "NOTIMP; it does not take dynamic updates".to_owned(),
            Self::Code(ResponseCode::ServFail) => format!(
                "SERVFAIL; its log says why: often it may not write the folder of the zone {zone}, where the journal goes"
            ),
            Self::Code(code) => format!("it answers {}; its log says why", code_name(*code)),
        }
    }
}

impl Rfc2136 {
    fn key_name(&self) -> String {
        let name = self.signer.as_ref().map(|signer| signer.signer_name().to_ascii());
        name.unwrap_or_else(|| "KEY".to_owned()).trim_end_matches('.').to_owned()
    }

    fn explain_signature(&self, error: TsigError, server_time: Option<u64>) -> String {
        let key = self.key_name();
        match error {
            TsigError::BadKey => format!(
                "BADKEY; it does not know a key `{key}` of this algorithm: compare `tsig.name` and `tsig.algorithm` \
                 with the server's"
            ),
            TsigError::BadSig => {
                format!(
                    "BADSIG; its secret of the key `{key}` is another: compare `tsig.secret` with the server's"
                )
            }
            TsigError::BadTime => format!(
                "BADTIME; {} while {FUDGE} s are allowed: set both by NTP",
                clocks((self.clock)(), server_time)
            ),
            other => format!(
                "it does not accept the signature by the key `{key}` (TSIG error {})",
                u16::from(other)
            ),
        }
    }
}

fn clocks(own: u64, server: Option<u64>) -> String {
    match server {
        Some(server) => format!("its clock and this machine's differ by {} s", own.abs_diff(server)),
        None => "its clock and this machine's differ".to_owned(),
    }
}

/// 48 bits, with BADTIME only (RFC 8945 section 5.2.3).
fn server_time(tsig: &TSIG) -> Option<u64> {
    let bytes: [u8; 6] = tsig.other.as_slice().try_into().ok()?;
    Some(bytes.iter().fold(0, |time, byte| time << 8 | u64::from(*byte)))
}

fn signer(tsig: &Tsig) -> Result<TSigner, DnsError> {
    let wrong = |what: &str, reason: String| {
        DnsError::Settings(format!("`{what}` of the TSIG key `{}` cannot be used: {reason}", tsig.name))
    };
    let algorithm = match tsig.algorithm {
        Algorithm::HmacSha256 => TsigAlgorithm::HmacSha256,
        Algorithm::HmacSha384 => TsigAlgorithm::HmacSha384,
        Algorithm::HmacSha512 => TsigAlgorithm::HmacSha512,
    };
    // Key files of BIND break long secrets with a space.
    let secret: String = tsig.secret.expose().split_whitespace().collect();
    let not_base64 = |_| wrong("secret", "it is not base64, as in the server's `key` statement".to_owned());
    let secret = BASE64_STANDARD.decode(secret).map_err(not_base64)?;
    let name = Name::from_ascii(&tsig.name).map_err(|error| wrong("name", error.to_string()))?;
    TSigner::new(secret, algorithm, name, FUDGE).map_err(|error| wrong("algorithm", error.to_string()))
}

fn record_set(name: Name, record: &TxtRecord) -> RecordSet {
    let ttl = u32::try_from(record.ttl.as_secs()).unwrap_or(u32::MAX);
    let mut records = RecordSet::with_ttl(name, RecordType::TXT, ttl);
    records.add_rdata(RData::TXT(TXT::from_bytes(record.value.as_bytes().chunks(STRING_BYTES).collect())));
    records
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
