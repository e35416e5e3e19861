//! Waits until everybody who must see a record sees it. A CA that looks too early fails the order, and keeps in mind
//! that the record is not there.

use std::time::Duration;

use futures_util::future::join_all;
use hickory_proto::rr::Name;
use pn_model::acme::Propagation;
use tokio::time::{Instant, sleep, timeout};

use super::error::DnsError;
use super::lookup::{Lookup, Witness};
use super::presenter::TxtRecord;
use super::zone::absolute;

/// Shortest pause between two rounds, whatever is configured.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// Shortest that one is waited for, however little time is left.
const LOOK_MIN: Duration = Duration::from_secs(2);

/// Waits for all of them at the same time.
pub(super) async fn wait_for(
    lookup: &Lookup,
    settings: &Propagation,
    records: &[TxtRecord],
) -> Result<(), DnsError> {
    if !settings.check {
        sleep(settings.interval).await;
        return Ok(());
    }
    let waits = records.iter().map(|record| wait_for_one(lookup, settings, record));
    join_all(waits).await.into_iter().collect()
}

async fn wait_for_one(lookup: &Lookup, settings: &Propagation, record: &TxtRecord) -> Result<(), DnsError> {
    let name = absolute(&record.fqdn)?;
    let start = Instant::now();
    let mut missing = Missing::Unknown(String::new());
    loop {
        let left = settings.timeout.saturating_sub(start.elapsed()).max(LOOK_MIN);
        missing = missing.look(lookup, &name, &record.value, left).await;
        if missing.is_none() {
            return Ok(());
        }
        if start.elapsed() + settings.interval >= settings.timeout {
            let (fqdn, waited) = (record.fqdn.clone(), start.elapsed());
            return Err(DnsError::NotPropagated { fqdn, waited, seen: missing.to_string() });
        }
        sleep(settings.interval.max(PAUSE_MIN)).await;
    }
}

/// Who does not see it yet.
enum Missing {
    /// It is not known whom to ask, and why.
    Unknown(String),
    /// Witness, and what it said last.
    At(Vec<(Witness, String)>),
}

impl Missing {
    /// Nobody is waited for longer than `left`.
    async fn look(self, lookup: &Lookup, name: &Name, value: &str, left: Duration) -> Self {
        let witnesses = match self {
            Self::At(missing) => missing.into_iter().map(|(witness, _)| witness).collect(),
            Self::Unknown(_) => match timeout(left, lookup.witnesses(name)).await {
                Ok(Ok(witnesses)) => witnesses,
                Ok(Err(error)) => return Self::Unknown(error.to_string()),
                Err(_) => {
                    return Self::Unknown(format!(
                        "nobody told its name servers within {} s",
                        left.as_secs()
                    ));
                }
            },
        };
        let looks = witnesses.into_iter().map(|witness| look_at(witness, name, value, left));
        Self::At(join_all(looks).await.into_iter().flatten().collect())
    }

    fn is_none(&self) -> bool {
        matches!(self, Self::At(missing) if missing.is_empty())
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(reason) => f.write_str(reason),
            Self::At(missing) => {
                let each = missing.iter().map(|(witness, seen)| format!("{} {seen}", witness.name));
                f.write_str(&each.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// `None`: it sees the value.
async fn look_at(witness: Witness, name: &Name, value: &str, left: Duration) -> Option<(Witness, String)> {
    let seen = match timeout(left, witness.txt(name)).await {
        Ok(Ok(values)) if values.iter().any(|each| each == value) => return None,
        Ok(Ok(values)) if values.is_empty() => "has no such record".to_owned(),
        Ok(Ok(values)) => format!("has {} other value(s) there", values.len()),
        Ok(Err(error)) => format!("cannot be asked ({error})"),
        Err(_) => format!("did not answer within {} s", left.as_secs()),
    };
    Some((witness, seen))
}
