//! Where the record of a challenge is to be made. `_acme-challenge` may be an alias into a zone that is easier to
//! change (RFC 8555 section 8.4); CAs follow it, and so does this.

use hickory_proto::rr::Name;

use super::error::DnsError;
use super::lookup::Lookup;

/// Resolvers follow 8 to 16 CNAME records.
const ALIASES: usize = 8;

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

/// Where nobody can be asked, the record is made at the name itself, and the check that follows tells whether it is seen.
async fn alias(lookup: &Lookup, name: &Name) -> Option<Name> {
    lookup.alias(name).await.unwrap_or_else(|error| {
        tracing::warn!(name = %name, %error, "cannot tell whether this name is an alias; it is taken for none");
        None
    })
}
