//! Names of fields that some upstreams cannot tell apart.

/// Whether an upstream that sees fields as CGI's variables do (RFC 3875 section 4.1.18: WSGI, PHP, Rack) takes a field of
/// this name for `own`: there `-` and `_` are the same. A name is no alias of itself. Both are in lower case.
pub fn is_alias(name: &str, own: &str) -> bool {
    let dash = |byte| matches!(byte, b'-' | b'_');
    let same = |(a, b)| a == b || (dash(a) && dash(b));
    name.len() == own.len() && name != own && name.bytes().zip(own.bytes()).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_become_one_variable() {
        for (name, own, expected) in [
            ("x_forwarded_for", "x-forwarded-for", true),
            ("x-forwarded_for", "x-forwarded-for", true),
            ("x-a", "x_a", true),
            ("x-forwarded-for", "x-forwarded-for", false),
            ("x_forwarded_fox", "x-forwarded-for", false),
            ("x_forwarded", "x-forwarded-for", false),
            ("xxforwarded-for", "x-forwarded-for", false),
            ("forwarded", "forwarded", false),
        ] {
            assert_eq!(is_alias(name, own), expected, "{name} for {own}");
        }
    }
}
