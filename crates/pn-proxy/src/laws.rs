//! What holds for whatever a peer sends, for the property tests and the fuzzers. Not part of any build but those.

use crate::{conn, exchange};

/// Any bytes at the beginning of a connection: what is found in them does not change with what follows.
pub fn proxy_header(bytes: &[u8]) {
    conn::proxy_header_law(bytes);
}

/// Any bytes as an authority: one form, and the same once more.
pub fn authority(bytes: &[u8]) {
    exchange::authority_law(bytes);
}

/// Any two lines as X-Forwarded-For and Forwarded, the first of them in the first line: whoever is not trusted is not
/// believed, and upstreams are told in a form that reads back.
pub fn forwarded(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |&byte| byte == b'\n');
    let (list, forwarded) = (lines.next().unwrap_or_default(), lines.next());
    for trusted in [false, true] {
        exchange::forwarded_law(list, forwarded, trusted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn proxy_headers(
            start in "(PROXY )?(TCP4|TCP6|UNKNOWN)?( [0-9.:]{0,12}){0,4}(\r\n)?",
            rest in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            proxy_header(start.as_bytes());
            proxy_header(&[start.as_bytes(), &rest].concat());
            proxy_header(&[&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"[..], &rest].concat());
            proxy_header(&rest);
        }

        #[test]
        fn dots_of_authorities(text in "[a.:1]{0,6}") {
            authority(text.as_bytes());
        }

        #[test]
        fn authorities(text in "([\\[\\]a-zA-Z0-9:._~%@-]|\u{e9}){0,20}") {
            authority(text.as_bytes());
        }

        #[test]
        fn lists(text in "(for=|proto=|host=|by=|https|[0-9]{1,3}[.]1[.]2[.]3|\"|\\[::1\\]|[;,:_ =\\\\]|unknown|\n){0,16}") {
            forwarded(text.as_bytes());
        }

        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            authority(&bytes);
            forwarded(&bytes);
        }
    }
}
