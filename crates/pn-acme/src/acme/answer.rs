//! What a CA answers, and what a refusal means. Whether the question is asked again is decided in `call`.

use super::fault::{AcmeFault, FaultKind, Problem, shown};
use super::machine::{HttpResponse, Time, TransportError};
use super::url::{check_url, origin};
use serde::de::DeserializeOwned;
use std::time::UNIX_EPOCH;

/// Longest that a CA may put us off; Let's Encrypt's longest limit is a week.
const RETRY_AFTER_MAX: u64 = 7 * 24 * 3600;

/// A question that was granted.
pub(crate) struct Answer {
    pub(super) url: String,
    pub(super) response: HttpResponse,
    pub(super) now: Time,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.response.status
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, AcmeFault> {
        serde_json::from_slice(&self.response.body).map_err(|error| {
            let text = shown(&String::from_utf8_lossy(&self.response.body));
            let begin: String = text.chars().take(80).collect();
            AcmeFault::bad_answer(&self.url, &format!("what cannot be read ({error}): `{begin}`"))
        })
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.response.body
    }

    pub(crate) fn bad(&self, what: &str) -> AcmeFault {
        AcmeFault::bad_answer(&self.url, what)
    }

    /// Where the new thing is (RFC 9110 section 10.2.2).
    pub(crate) fn location(&self) -> Result<String, AcmeFault> {
        let location = self.response.header("location").ok_or_else(|| self.bad("no Location"))?;
        let resolved = match location.strip_prefix('/') {
            Some(path) if !path.starts_with('/') => format!("{}{location}", origin(&self.url)),
            _ => location.to_owned(),
        };
        check_url(&resolved, &self.url)?;
        Ok(resolved)
    }

    /// Seconds from now that the CA asks for (RFC 9110 section 10.2.3).
    pub(crate) fn retry_after(&self) -> Option<u64> {
        retry_after(&self.response, self.now).map(|time| time - self.now)
    }

    /// Targets of the links of that relation (RFC 8288).
    pub(crate) fn links(&self, relation: &str) -> impl Iterator<Item = &str> {
        let quoted = format!("rel=\"{relation}\"");
        let plain = format!("rel={relation}");
        let links = self.response.headers.iter().filter(|(name, _)| name == "link");
        links.flat_map(|(_, value)| value.split(',')).filter_map(move |link| {
            let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
            parameters.split(';').any(|p| p.trim() == quoted || p.trim() == plain).then_some(target)
        })
    }
}

pub(super) fn problem_of(response: &HttpResponse) -> Problem {
    let text = || String::from_utf8_lossy(&response.body).chars().take(200).collect();
    let mut problem: Problem = serde_json::from_slice(&response.body)
        .unwrap_or_else(|_| Problem { detail: text(), ..Problem::default() });
    if problem.kind.is_empty() {
        problem.kind = "about:blank".to_owned();
    }
    problem
}

/// Seconds, or a date (RFC 9110 section 10.2.3); not before now, and not for ever.
pub(super) fn retry_after(response: &HttpResponse, now: Time) -> Option<Time> {
    let text = response.header("retry-after")?.trim();
    let date = || {
        let date = httpdate::parse_http_date(text).ok()?;
        date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
    };
    let time = text.parse::<u64>().map_or_else(|_| date(), |seconds| Some(now.saturating_add(seconds)))?;
    Some(time.clamp(now, now.saturating_add(RETRY_AFTER_MAX)))
}

pub(super) fn lost(url: &str, error: &TransportError) -> AcmeFault {
    let message = format!(
        "no answer from `{url}`: {}; look at the network, and at the issuer's `roots` if the CA is a private one",
        shown(&error.0)
    );
    AcmeFault::new(FaultKind::Transport, message)
}

pub(super) fn refusal(url: &str, status: u16, problem: Problem, retry_after: Option<Time>) -> AcmeFault {
    let kind = match (problem.name(), status) {
        ("rateLimited", _) | (_, 429) => FaultKind::RateLimited,
        ("accountDoesNotExist", _) => FaultKind::AccountGone,
        ("userActionRequired", _) => FaultKind::UserAction,
        ("externalAccountRequired", _) => FaultKind::ExternalAccount,
        ("invalidProfile", _) => FaultKind::Profile,
        ("badNonce", _) | (_, 500..) => FaultKind::Transport,
        ("", 300..400) => FaultKind::BadAnswer,
        _ => FaultKind::Refused,
    };
    let place = problem.instance.as_deref().map(|url| format!("; see {}", shown(url))).unwrap_or_default();
    let said = match (problem.name(), problem.detail.trim()) {
        ("", "") => String::new(),
        _ => format!(": {problem}"),
    };
    let message = format!("`{url}` refused with {status}{said}{}{place}", remedy(status, &problem));
    AcmeFault { kind, problem: Some(Box::new(problem)), retry_after, challenge: None, message }
}

/// Where the status or the text tells it, and not the type.
fn remedy(status: u16, problem: &Problem) -> &'static str {
    match (problem.name(), status) {
        ("", 300..400) => "; redirects are not followed: look at the issuer's `directory`",
        ("", 404) => "; look at the issuer's `directory`",
        ("malformed", _) if problem.detail.to_ascii_lowercase().contains("contact") => {
            "; look at the issuer's `email`"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(name: &str, value: &str) -> Answer {
        let headers = vec![(name.to_owned(), value.to_owned())];
        let response = HttpResponse { status: 200, headers, body: Vec::new() };
        Answer { url: "https://ca.test:14000/new".to_owned(), response, now: 784_111_777 }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_within_a_week() {
        for (value, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("99999999999999999999", None),
            ("18446744073709551615", Some(RETRY_AFTER_MAX)),
            ("Sat, 06 Nov 2094 08:50:37 GMT", Some(RETRY_AFTER_MAX)),
            ("-1", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(answer("retry-after", value).retry_after(), expected, "{value}");
        }
    }

    #[test]
    fn locations_are_whole_or_begin_at_the_root() {
        for (value, expected) in [
            ("https://other.test/order/1", Some("https://other.test/order/1")),
            ("/order/1", Some("https://ca.test:14000/order/1")),
            ("//other.test/order/1", None),
            ("order/1", None),
            ("http://ca.test/order/1", None),
            ("javascript:1", None),
        ] {
            assert_eq!(answer("location", value).location().ok().as_deref(), expected, "{value}");
        }
        assert!(answer("x", "y").location().unwrap_err().message.contains("no Location"));
    }

    #[test]
    fn links_are_found_by_their_relation() {
        for (value, expected) in [
            ("<https://ca.test/a>;rel=\"alternate\"", &["https://ca.test/a"][..]),
            ("<https://ca.test/a>; title=\"x\"; rel=alternate", &["https://ca.test/a"]),
            (
                "<https://ca.test/d>;rel=\"index\", <https://ca.test/b>;rel=\"alternate\"",
                &["https://ca.test/b"],
            ),
            ("https://ca.test/a;rel=alternate", &[]),
            ("<https://ca.test/a", &[]),
            ("", &[]),
        ] {
            assert_eq!(answer("link", value).links("alternate").collect::<Vec<_>>(), expected, "{value}");
        }
    }

    #[test]
    fn what_an_answer_leaves_unsaid_is_said() {
        for (kind, status, detail, expected) in [
            ("about:blank", 503, "", "refused with 503"),
            (
                "about:blank",
                302,
                "",
                "refused with 302; redirects are not followed: look at the issuer's `directory`",
            ),
            (
                "about:blank",
                404,
                "gone",
                "refused with 404: about:blank: gone; look at the issuer's `directory`",
            ),
            (
                "urn:ietf:params:acme:error:malformed",
                400,
                "Contact information is missing",
                "refused with 400: malformed: Contact information is missing; look at the issuer's `email`",
            ),
        ] {
            let problem = Problem { kind: kind.to_owned(), detail: detail.to_owned(), ..Problem::default() };
            let fault = refusal("https://ca.test/x", status, problem, None);
            assert_eq!(fault.message, format!("`https://ca.test/x` {expected}"));
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        for (name, status, expected) in [
            ("rateLimited", 403, FaultKind::RateLimited),
            ("", 429, FaultKind::RateLimited),
            ("accountDoesNotExist", 400, FaultKind::AccountGone),
            ("userActionRequired", 403, FaultKind::UserAction),
            ("externalAccountRequired", 403, FaultKind::ExternalAccount),
            ("invalidProfile", 400, FaultKind::Profile),
            ("serverInternal", 500, FaultKind::Transport),
            ("", 503, FaultKind::Transport),
            ("", 302, FaultKind::BadAnswer),
            ("malformed", 400, FaultKind::Refused),
        ] {
            let kind = format!("urn:ietf:params:acme:error:{name}");
            let instance = Some("https://ca.test/terms".to_owned());
            let problem = Problem { kind, instance, ..Problem::default() };
            let fault = refusal("https://ca.test/x", status, problem, Some(7));
            assert_eq!((fault.kind.clone(), fault.retry_after), (expected, Some(7)), "{name} {status}");
            assert!(fault.message.ends_with("; see https://ca.test/terms"), "{fault}");
        }
    }
}
