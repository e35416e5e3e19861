//! Where the record of a challenge is to be made. `_acme-challenge` may be an alias into a zone that is easier to
//! change (RFC 8555 section 8.4); CAs follow it, and so does this.

use std::time::Duration;

use hickory_proto::rr::Name;
use tokio::time::timeout;

use super::error::DnsError;
use super::lookup::Lookup;

/// Resolvers follow 8 to 16 CNAME records.
const ALIASES: usize = 8;
/// For one name, all its name servers together: a network may drop what goes to them.
const PATIENCE: Duration = Duration::from_secs(20);

/// The name at the end of its aliases; the name itself when it has none.
pub(super) async fn target(lookup: &Lookup, fqdn: &Name) -> Result<Name, DnsError> {
    let mut path = vec![fqdn.clone()];
    let mut at = fqdn.clone();
    while let Some(next) = alias(lookup, &at).await {
        if path.contains(&next) {
            return Err(DnsError::Loop { fqdn: fqdn.to_ascii(), through: at.to_ascii() });
        }
        if path.len() > ALIASES {
            return Err(DnsError::TooManyAliases { fqdn: fqdn.to_ascii(), most: ALIASES });
        }
        path.push(next.clone());
        at = next;
    }
    Ok(at)
}

/// Where nobody can be asked in time, the record is made at the name itself, and the check that follows tells whether it is seen.
async fn alias(lookup: &Lookup, name: &Name) -> Option<Name> {
    let found = match timeout(PATIENCE, lookup.alias(name)).await {
        Ok(found) => found.map_err(|error| error.to_string()),
        Err(_) => Err(format!("its name servers did not answer within {} s", PATIENCE.as_secs())),
    };
    found.unwrap_or_else(|error| {
        tracing::warn!(name = %name, error, "cannot tell whether this name is an alias; it is taken for none");
        None
    })
}
