//! Keeps secrets out of what somebody else's code says: their values as they are, and as a URL has them.

use std::fmt::Write;

use pn_model::Secret;

/// Shorter values are no secrets, and would be found in every text.
const SHORTEST: usize = 4;
const COVERED: &str = "***";

/// The values, each as it may be written.
#[derive(Debug)]
pub(super) struct Cover(Vec<Secret>);

impl Cover {
    pub(super) fn of(secrets: impl Iterator<Item = Secret>) -> Self {
        let long = secrets.filter(|secret| secret.expose().len() >= SHORTEST);
        let forms = long.flat_map(|secret| {
            let value = secret.expose();
            [value.to_owned(), escaped(value, "%20"), escaped(value, "+")].map(Secret::new)
        });
        let mut forms: Vec<Secret> = forms.collect();
        // One may be part of another.
        forms.sort_by_key(|form| std::cmp::Reverse(form.expose().len()));
        Self(forms)
    }

    pub(super) fn put_on(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, form| text.replace(form.expose(), COVERED))
    }
}

/// As in a query (RFC 3986 section 2.1), with a space as clients write it.
fn escaped(value: &str, space: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b' ' => text.push_str(space),
            b'*' | b'-' | b'.' | b'_' => text.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            byte => write!(text, "%{byte:02X}").unwrap_or_default(),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_covered_in_each_form() {
        let cover = Cover::of(["p w/1+2", "p w/1+2&more", "pa*ss!", "eu"].map(Secret::new).into_iter());
        for (text, expected) in [
            ("GET /?key=p%20w%2F1%2B2&a=b", "GET /?key=***&a=b"),
            ("GET /?key=p+w%2F1%2B2", "GET /?key=***"),
            ("no `p w/1+2&more`, no `p w/1+2`", "no `***`, no `***`"),
            // `*` stays in a form (WHATWG URL, section 5.2).
            ("GET /?auth-password=pa*ss%21", "GET /?auth-password=***"),
            ("eu is a region", "eu is a region"),
            ("", ""),
        ] {
            assert_eq!(cover.put_on(text), expected);
        }
        assert!(!format!("{cover:?}").contains("p w"));
    }
}
