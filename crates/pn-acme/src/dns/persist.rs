//! dns-persist-01 (draft-ietf-acme-dns-persist): one TXT record at `_validation-persist.NAME` that says which account at
//! which CA may have certificates for the name, and stays. Here: what the record must say, and whether one says it.

use hickory_proto::rr::Name;

use super::delegation::target;
use super::error::DnsError;
use super::lookup::Lookup;
use super::solver::NO_ADDRESS;
use super::zone::absolute;
use crate::Time;
use crate::acme::{Challenge, Identifier};

const LABEL: &str = "_validation-persist";
/// Labels are taken off a name down to two: no CA looks for a record at a top-level domain.
const LABELS_MIN: u8 = 2;
/// Names above the first that are looked at.
const PLACES: usize = 8;
/// Bytes of one string of a TXT record (RFC 1035 section 3.3).
const STRING_BYTES: usize = 255;
/// Of the record that is proposed: it stays, and is seldom looked for.
const TTL: u32 = 3600;

/// The record that a challenge asks for.
#[derive(Debug, Clone)]
pub(super) struct Persist<'a> {
    challenge: &'a Challenge,
    pub(super) name: Name,
    pub(super) value: String,
}

/// Why no record will do; a later one comes closer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lack {
    /// There is none for this CA.
    Absent,
    OtherAccount,
    NoWildcard,
    Expired,
}

impl<'a> Persist<'a> {
    pub(super) fn of(challenge: &'a Challenge) -> Result<Self, DnsError> {
        let Identifier::Dns(domain) = &challenge.identifier else {
            return Err(DnsError::name(&challenge.identifier.to_string(), &NO_ADDRESS));
        };
        let anonymous = || {
            DnsError::Settings(
                "the CA gave no name of its that a record of dns-persist-01 could hold; leave that challenge out"
                    .to_owned(),
            )
        };
        let value = challenge.persist_value().ok_or_else(anonymous)?;
        Ok(Self { challenge, name: absolute(&format!("{LABEL}.{domain}"))?, value })
    }

    /// Looks for a record that will do, at the name and at those above it, whose records must be for all names below.
    /// `Err`: what comes closest, or why nobody can be asked.
    pub(super) async fn look(&self, lookup: &Lookup, now: Time) -> Result<(), String> {
        let mut closest = Lack::Absent;
        for (place, name) in self.places().into_iter().enumerate() {
            let wildcard = self.challenge.wildcard || place > 0;
            let values = self.values_at(lookup, &name).await;
            match values.map(|values| self.judge(&values, wildcard, now)) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(lack)) if place == 0 => closest = lack,
                Err(error) if place == 0 => return Err(error.to_string()),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        Err(self.describe(closest))
    }

    /// A line for a zone file.
    pub(super) fn zone_line(&self) -> String {
        let strings = self.value.as_bytes().chunks(STRING_BYTES);
        let strings = strings.map(|chunk| format!(" \"{}\"", String::from_utf8_lossy(chunk)));
        format!("{} {TTL} IN TXT{}", self.name, strings.collect::<String>())
    }

    fn places(&self) -> Vec<Name> {
        let mut domain = self.name.base_name();
        let mut places = vec![self.name.clone()];
        while domain.num_labels() > LABELS_MIN && places.len() < PLACES {
            domain = domain.base_name();
            places.extend(domain.prepend_label(LABEL));
        }
        places
    }

    async fn values_at(&self, lookup: &Lookup, name: &Name) -> Result<Vec<String>, DnsError> {
        let name = target(lookup, name).await?;
        let mut result = Ok(Vec::new());
        for witness in lookup.witnesses(&name).await? {
            result = witness.txt(&name).await;
            if result.is_ok() {
                break;
            }
        }
        result
    }

    fn judge(&self, values: &[String], wildcard: bool, now: Time) -> Result<(), Lack> {
        let mut closest = Lack::Absent;
        for value in values {
            match self.lack(value, wildcard, now) {
                None => return Ok(()),
                Some(lack) => closest = closest.max(lack),
            }
        }
        Err(closest)
    }

    fn lack(&self, value: &str, wildcard: bool, now: Time) -> Option<Lack> {
        let (issuer, parameters) = value.split_once(';').unwrap_or((value, ""));
        let issuer = issuer.trim().trim_end_matches('.');
        if !self.challenge.issuer_domains.iter().any(|domain| domain.eq_ignore_ascii_case(issuer)) {
            return Some(Lack::Absent);
        }
        if parameter(parameters, "accounturi") != Some(&self.challenge.account_uri) {
            return Some(Lack::OtherAccount);
        }
        let policy = parameter(parameters, "policy");
        if wildcard && !policy.is_some_and(|policy| policy.eq_ignore_ascii_case("wildcard")) {
            return Some(Lack::NoWildcard);
        }
        // What is no number makes the record malformed, which a CA rejects.
        let holds = |until: &str| until.parse::<Time>().is_ok_and(|until| until >= now);
        (!parameter(parameters, "persistUntil").is_none_or(holds)).then_some(Lack::Expired)
    }

    fn describe(&self, lack: Lack) -> String {
        let (name, issuer) = (&self.name, self.challenge.issuer_domains.join("` or `"));
        match lack {
            Lack::Absent => format!("there is no TXT record for `{issuer}` at {name}"),
            Lack::OtherAccount => format!("the TXT record for `{issuer}` at {name} names another account"),
            Lack::NoWildcard => format!("the TXT record for `{issuer}` at {name} does not allow wildcards"),
            Lack::Expired => {
                format!("`persistUntil` of the TXT record for `{issuer}` at {name} is past, or no number")
            }
        }
    }
}

/// The value of `tag=value` in an issue-value (RFC 8659 section 4.2).
fn parameter<'a>(parameters: &'a str, tag: &str) -> Option<&'a str> {
    let pairs = parameters.split(';').filter_map(|pair| pair.split_once('='));
    let mut values =
        pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case(tag)).map(|(_, value)| value.trim());
    values.next()
}

#[cfg(test)]
mod tests {
    use pn_model::acme::ChallengeKind;

    use super::*;

    const NOW: Time = 1_700_000_000;

    fn challenge(wildcard: bool) -> Challenge {
        Challenge {
            kind: ChallengeKind::DnsPersist01,
            identifier: Identifier::Dns("www.example.com".to_owned()),
            wildcard,
            token: String::new(),
            key_authorization: String::new(),
            account_uri: "https://ca.example/acct/123".to_owned(),
            issuer_domains: vec!["authority.example".to_owned(), "ca.example.net".to_owned()],
        }
    }

    #[track_caller]
    fn check(value: &str, wildcard: bool, expected: Result<(), Lack>) {
        let challenge = challenge(wildcard);
        let persist = Persist::of(&challenge).unwrap();
        assert_eq!(persist.judge(&[value.to_owned()], wildcard, NOW), expected, "{value}");
    }

    #[test]
    fn a_record_is_judged_as_the_ca_judges_it() {
        let account = "accounturi=https://ca.example/acct/123";
        let with = |rest: &str| format!("authority.example; {account}{rest}");
        check(&with(""), false, Ok(()));
        check(&format!("CA.example.NET.;{account}"), false, Ok(()));
        check(&with("; policy=WILDCARD"), true, Ok(()));
        check(&with("; unknown=1; policy=wildcard; persistUntil=1700000000"), true, Ok(()));
        check(&with(""), true, Err(Lack::NoWildcard));
        check(&with("; policy=other"), true, Err(Lack::NoWildcard));
        check(&with("; persistUntil=1699999999"), false, Err(Lack::Expired));
        check(&with("; persistUntil=tomorrow"), false, Err(Lack::Expired));
        check("authority.example; accounturi=https://ca.example/acct/12", false, Err(Lack::OtherAccount));
        check("authority.example; accounturi=https://CA.example/acct/123", false, Err(Lack::OtherAccount));
        check("authority.example", false, Err(Lack::OtherAccount));
        check(&format!("other.example; {account}"), false, Err(Lack::Absent));
        check("", false, Err(Lack::Absent));
    }

    #[test]
    fn any_record_of_several_will_do() {
        let challenge = challenge(false);
        let persist = Persist::of(&challenge).unwrap();
        let values = ["other.example; accounturi=x".to_owned(), persist.value.clone()];
        assert_eq!(persist.judge(&values, false, NOW), Ok(()));
        assert_eq!(persist.judge(&[], false, NOW), Err(Lack::Absent));
    }

    #[test]
    fn the_record_is_written_as_a_line_of_a_zone_file() {
        let mut challenge = challenge(true);
        let expected = "_validation-persist.www.example.com. 3600 IN TXT \
                        \"authority.example; accounturi=https://ca.example/acct/123; policy=wildcard\"";
        assert_eq!(Persist::of(&challenge).unwrap().zone_line(), expected);
        challenge.account_uri = "a".repeat(300);
        let line = Persist::of(&challenge).unwrap().zone_line();
        let strings: Vec<usize> = line.split('"').skip(1).step_by(2).map(str::len).collect();
        assert_eq!(strings, [255, 92]);
    }

    #[test]
    fn names_above_are_looked_at_down_to_two_labels() {
        let challenge = challenge(false);
        let places = Persist::of(&challenge).unwrap().places();
        let places: Vec<String> = places.iter().map(Name::to_ascii).collect();
        assert_eq!(places, ["_validation-persist.www.example.com.", "_validation-persist.example.com."]);
    }

    #[test]
    fn addresses_have_no_record() {
        let challenge = Challenge { identifier: Identifier::parse("192.0.2.1"), ..challenge(false) };
        assert!(Persist::of(&challenge).is_err());
    }
}
