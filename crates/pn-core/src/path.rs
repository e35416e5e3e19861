//! Path normalisation: the one form in which a path is matched and forwarded (RFC 3986 section 6.2.2). Patterns are
//! brought into the same form by `pn-config`.
//!
//! What it does: percent-encoded unreserved characters are decoded, other percent-encodings become upper-case, dot
//! segments (also encoded ones) are removed, runs of slashes are merged. Characters that RFC 3986 does not let stand
//! in a path (a raw `\`, `"`, `|`, `?`, a space, every byte of a non-ASCII character) are percent-encoded, as RFC
//! 3987 section 3.1 says, so that `é` and `%C3%A9` are one path. `%2F` and `%5C` stay and never separate segments.
//! Path parameters (`;a=b`) have no meaning here: `/..;/` is a segment like any other, and is forwarded as one.

use pn_model::listener::PathMode;
use std::borrow::Cow;

/// Why a path is refused; the answer is 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("the path does not begin with `/`")]
    Relative,
    #[error("the path holds NUL")]
    Nul,
    #[error("the path holds a raw control character")]
    Control,
    #[error("`%` in the path is not followed by two hexadecimal digits")]
    Percent,
    #[error("dot segments of the path climb above the root")]
    AboveRoot,
    /// Only in strict mode.
    #[error("the path is not in normal form, and this listener takes no other")]
    NotNormal,
}

/// Brings a path (without query) into normal form. Borrows when it already is. The empty path is `/` (RFC 9110
/// section 4.2.3). In strict mode everything that would change is an error.
pub fn normalise(path: &str, mode: PathMode) -> Result<Cow<'_, str>, PathError> {
    if !path.is_empty() && !path.starts_with('/') {
        return Err(PathError::Relative);
    }
    let from = match first_change(path.as_bytes())? {
        None if !path.is_empty() => return Ok(Cow::Borrowed(path)),
        None => 0,
        Some(from) => from,
    };
    let normal = rewrite(path, from)?;
    match mode {
        PathMode::Normalise => Ok(Cow::Owned(normal)),
        PathMode::Strict => Err(PathError::NotNormal),
    }
}

/// The slash that begins the first segment that is not normal, or `None` when all are.
fn first_change(path: &[u8]) -> Result<Option<usize>, PathError> {
    let (mut segment, mut at) = (0, 0);
    while let Some(&byte) = path.get(at) {
        match byte {
            _ if stands(byte) => {}
            b'/' => {
                segment = at;
                if is_odd_segment(path.get(at + 1..).unwrap_or_default()) {
                    return Ok(Some(segment));
                }
            }
            b'%' => match percent(path.get(at + 1..).unwrap_or_default())? {
                (_, false) => return Ok(Some(segment)),
                (_, true) => at += 2,
            },
            _ => return refuse_control(byte).map(|()| Some(segment)),
        }
        at += 1;
    }
    Ok(None)
}

/// Whether what follows a slash is an empty segment with more behind it, or a dot segment.
fn is_odd_segment(rest: &[u8]) -> bool {
    matches!(rest, [b'/', ..] | [b'.'] | [b'.', b'/', ..] | [b'.', b'.'] | [b'.', b'.', b'/', ..])
}

/// The path with everything from the slash at `from` on rewritten; what stands before is normal.
fn rewrite(path: &str, from: usize) -> Result<String, PathError> {
    let (normal, rest) = path.split_at_checked(from).unwrap_or((path, ""));
    let mut out = String::with_capacity(path.len() + 8);
    out.push_str(normal);
    let mut segments = rest.strip_prefix('/').unwrap_or(rest).split('/').peekable();
    while let Some(segment) = segments.next() {
        let start = out.len();
        if !segment.is_empty() {
            out.push('/');
            encode(segment, &mut out)?;
            match out.get(start + 1..) {
                Some(".") => out.truncate(start),
                Some("..") => {
                    let above = out.get(..start).and_then(|kept| kept.rfind('/'));
                    out.truncate(above.ok_or(PathError::AboveRoot)?);
                }
                _ => continue,
            }
        }
        if segments.peek().is_none() {
            out.push('/');
        }
    }
    Ok(out)
}

fn encode(segment: &str, out: &mut String) -> Result<(), PathError> {
    let mut bytes = segment.as_bytes();
    while let [byte, rest @ ..] = bytes {
        bytes = rest;
        match byte {
            b'%' => {
                let (decoded, _) = percent(rest)?;
                push(decoded, is_unreserved(decoded), out);
                bytes = rest.get(2..).unwrap_or_default();
            }
            byte => {
                refuse_control(*byte)?;
                push(*byte, stands(*byte), out);
            }
        }
    }
    Ok(())
}

/// The byte that two digits stand for, and whether the encoding is normal: in upper case, of a byte that needs it.
fn percent(digits: &[u8]) -> Result<(u8, bool), PathError> {
    let [high, low, ..] = digits else { return Err(PathError::Percent) };
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (Some(first), Some(second)) = (digit(*high), digit(*low)) else { return Err(PathError::Percent) };
    match (first << 4) | second {
        0 => Err(PathError::Nul),
        byte => {
            let upper = !high.is_ascii_lowercase() && !low.is_ascii_lowercase();
            Ok((byte, upper && !is_unreserved(byte)))
        }
    }
}

fn push(byte: u8, plain: bool, out: &mut String) {
    if plain {
        out.push(char::from(byte));
    } else {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase();
        out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
    }
}

fn refuse_control(byte: u8) -> Result<(), PathError> {
    match byte {
        0 => Err(PathError::Nul),
        1..=0x1f | 0x7f => Err(PathError::Control),
        _ => Ok(()),
    }
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether a byte may stand for itself in a segment: `pchar` of RFC 3986 section 3.3 without the percent sign.
fn stands(byte: u8) -> bool {
    const PLAIN: [bool; 256] = plain();
    PLAIN.get(usize::from(byte)).copied().unwrap_or(false)
}

const fn plain() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let c = byte as u8;
        table[byte] = c.is_ascii_alphanumeric()
            || matches!(c, b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')')
            || matches!(c, b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@');
        byte += 1;
    }
    table
}

#[cfg(any(test, fuzzing))]
pub mod laws {
    //! What holds for every path, for the property test and the fuzzer.

    use super::*;

    /// Panics when normalising breaks one of its promises.
    pub fn hold(path: &str) {
        let strict = normalise(path, PathMode::Strict);
        let Ok(normal) = normalise(path, PathMode::Normalise) else {
            assert!(strict.is_err(), "strict takes what is refused: {path:?}");
            return;
        };
        assert_eq!(strict.is_ok(), *normal == *path, "strict takes the normal form and no other: {path:?}");
        assert!(normal.starts_with('/') && normal.is_ascii(), "{path:?} became {normal:?}");
        let again = normalise(&normal, PathMode::Strict);
        assert!(matches!(again, Ok(Cow::Borrowed(_))), "{path:?} became {normal:?}, which is {again:?}");
        assert!(!normal.contains("//"), "{path:?} became {normal:?}");
        assert!(!normal.split('/').any(|segment| segment == "." || segment == ".."), "{path:?}: {normal:?}");
        let separators = |text: &str| ["%2f", "%2F", "%5c", "%5C"].iter().any(|one| text.contains(one));
        assert!(separators(path) || path.contains('\\') || !separators(&normal), "{path:?}: {normal:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(path: &str, expected: Result<&str, PathError>) {
        let got = normalise(path, PathMode::Normalise);
        assert_eq!(got.as_deref(), expected.as_deref(), "{path:?}");
        if let Ok(normal) = &got {
            assert_eq!(
                matches!(normal, Cow::Borrowed(_)),
                *normal == path,
                "borrowed when unchanged: {path:?}"
            );
        }
        laws::hold(path);
    }

    #[test]
    fn normal_paths_stay() {
        for path in [
            "/",
            "/a",
            "/a/",
            "/a/b",
            "/.well-known/acme",
            "/a/.b/..c/...",
            "/a.b/c..",
            "/%2F",
            "/a%2Fb%5Cc",
            "/%20",
            "/%C3%A9",
            "/%25",
            "/%252e%252e/",
            "/a;v=1/b",
            "/..;/b",
            "/@:!$&'()*+,=",
            "/-._~",
            "/%0A",
            "/%7F",
            "/%FF",
        ] {
            check(path, Ok(path));
        }
    }

    #[test]
    fn brought_into_one_form() {
        check("", Ok("/"));
        // Unreserved characters are decoded, other encodings become upper-case.
        check("/%61%7e%2D", Ok("/a~-"));
        check("/%c3%a9%2f%5c", Ok("/%C3%A9%2F%5C"));
        check("/a/%41", Ok("/a/A"));
        // One step only: an encoded percent sign is not decoded.
        check("/%252E", Ok("/%252E"));
        check("/%25%32%65", Ok("/%252e"));
        // Dot segments.
        check("/./a", Ok("/a"));
        check("/a/.", Ok("/a/"));
        check("/a/./b", Ok("/a/b"));
        check("/a/..", Ok("/"));
        check("/a/../", Ok("/"));
        check("/a/b/..", Ok("/a/"));
        check("/a/b/../c", Ok("/a/c"));
        check("/a/b/../../c", Ok("/c"));
        check("/a/%2e/b", Ok("/a/b"));
        check("/a/%2E%2e/b", Ok("/b"));
        check("/a/.%2e/b", Ok("/b"));
        check("/a%2F..%2Fb", Ok("/a%2F..%2Fb"));
        check("/a%2F/../b", Ok("/b"));
        // Runs of slashes, merged before dot segments count them.
        check("//", Ok("/"));
        check("//a", Ok("/a"));
        check("/a//b///", Ok("/a/b/"));
        check("/a//../b", Ok("/b"));
        check("/a/.//b", Ok("/a/b"));
        check("/a/..//b", Ok("/b"));
        check("//evil.example/%2e%2e", Ok("/"));
        // What may not stand in a path is encoded.
        check("/a b", Ok("/a%20b"));
        check("/é", Ok("/%C3%A9"));
        check("/a\\..\\b", Ok("/a%5C..%5Cb"));
        check("/\"<>^`{|}", Ok("/%22%3C%3E%5E%60%7B%7C%7D"));
        check("/a?b#c[d]", Ok("/a%3Fb%23c%5Bd%5D"));
    }

    #[test]
    fn refused() {
        check("a", Err(PathError::Relative));
        check("*", Err(PathError::Relative));
        check("/a\0", Err(PathError::Nul));
        check("/%00", Err(PathError::Nul));
        check("/a//%00", Err(PathError::Nul));
        check("/\n", Err(PathError::Control));
        check("/a//\x7f", Err(PathError::Control));
        check("/%", Err(PathError::Percent));
        check("/%4", Err(PathError::Percent));
        check("/%zz", Err(PathError::Percent));
        check("/%+1", Err(PathError::Percent));
        check("/%2/a", Err(PathError::Percent));
        check("//%2", Err(PathError::Percent));
        check("/..", Err(PathError::AboveRoot));
        check("/../a", Err(PathError::AboveRoot));
        check("/a/../..", Err(PathError::AboveRoot));
        check("/a/../../a", Err(PathError::AboveRoot));
        check("/%2e%2e/a", Err(PathError::AboveRoot));
        check("//../a", Err(PathError::AboveRoot));
    }

    #[test]
    fn strict_takes_only_the_normal_form() {
        for (path, expected) in [
            ("/a", Ok("/a")),
            ("/%2F", Ok("/%2F")),
            ("", Err(PathError::NotNormal)),
            ("/a//b", Err(PathError::NotNormal)),
            ("/%61", Err(PathError::NotNormal)),
            ("/%c3", Err(PathError::NotNormal)),
            ("/é", Err(PathError::NotNormal)),
            ("/a/./b", Err(PathError::NotNormal)),
            ("/..", Err(PathError::AboveRoot)),
            ("/a//%zz", Err(PathError::Percent)),
        ] {
            assert_eq!(normalise(path, PathMode::Strict).as_deref(), expected.as_deref(), "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn laws_hold(path in "(/|\\.|%2[eEfF]|%5[cC]|%61|%25|%0a|%c3|[a-c]|;|\\\\|é|%|\u{1}){0,12}") {
            laws::hold(&path);
            laws::hold(&format!("/{path}"));
        }

        #[test]
        fn laws_hold_for_any_text(path in "\\PC{0,40}") {
            laws::hold(&format!("/{path}"));
        }
    }
}
