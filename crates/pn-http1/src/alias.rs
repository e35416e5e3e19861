//! Names of fields that some upstreams cannot tell apart: the one place where that is decided.

/// Whether an upstream that sees fields as CGI's variables do (RFC 3875 section 4.1.18: WSGI, PHP, Rack) takes a field of
/// this name for `own`: there `-` and `_` are the same. A name is no alias of itself, in any case.
pub fn is_alias(name: &[u8], own: &[u8]) -> bool {
    let dash = |byte: u8| matches!(byte, b'-' | b'_');
    let same = |(a, b): (&u8, &u8)| a.eq_ignore_ascii_case(b) || (dash(*a) && dash(*b));
    name.len() == own.len() && name.iter().zip(own).all(same) && !name.eq_ignore_ascii_case(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_become_one_variable() {
        for (name, own, expected) in [
            ("x_forwarded_for", "x-forwarded-for", true),
            ("x-forwarded_for", "x-forwarded-for", true),
            ("X_Forwarded_For", "x-forwarded-for", true),
            ("X-Forwarded-For", "x-forwarded-for", false),
            ("x-a", "x_a", true),
            ("x-forwarded-for", "x-forwarded-for", false),
            ("x_forwarded_fox", "x-forwarded-for", false),
            ("x_forwarded", "x-forwarded-for", false),
            ("xxforwarded-for", "x-forwarded-for", false),
            ("forwarded", "forwarded", false),
        ] {
            assert_eq!(is_alias(name.as_bytes(), own.as_bytes()), expected, "{name} for {own}");
        }
    }
}
