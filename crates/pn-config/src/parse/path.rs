//! Path patterns, in the normal form in which requests are matched: unreserved characters decoded, percent-encoding
//! in upper case, no dot segments, no empty segments inside.

use super::{Invalid, regex};
use pn_model::path::PathPattern;

/// `/a` exact, `/a/*` segment prefix, `/*` every path, `~regex`.
pub(crate) fn path_pattern(text: &str) -> Result<PathPattern, Invalid> {
    if let Some(pattern) = text.strip_prefix('~') {
        return regex(pattern).map(PathPattern::Regex);
    }
    let pattern = match text.strip_suffix("/*") {
        Some("") => return Ok(PathPattern::any()),
        Some(prefix) => PathPattern::SegmentPrefix(normalise(prefix, false)?),
        None => PathPattern::Exact(normalise(text, false)?),
    };
    if let PathPattern::Exact(path) | PathPattern::SegmentPrefix(path) = &pattern {
        refuse_wildcard(text, path)?;
        if matches!(pattern, PathPattern::SegmentPrefix(_)) && path.ends_with('/') {
            return Err(empty_segment());
        }
    }
    Ok(pattern)
}

/// `Path()` of a rule: as it is, wildcards mean nothing.
pub(crate) fn path_literal(text: &str) -> Result<String, Invalid> {
    refuse_templates(text)?;
    normalise(text, false)
}

/// `PathPrefix()` of a rule and the prefixes of middlewares: may end inside a segment.
pub(crate) fn path_prefix(text: &str) -> Result<String, Invalid> {
    refuse_templates(text)?;
    normalise(text, true)
}

/// The normal form. Of a prefix the last segment is not complete, so that `/.` may stand for `/.well-known`.
fn normalise(text: &str, prefix: bool) -> Result<String, Invalid> {
    if !text.starts_with('/') {
        let error = Invalid::new(format!("the path `{text}` does not start with `/`"));
        return Err(if text.starts_with('^') || text.contains(".*") {
            error.help("a regex is written \"~regex\"")
        } else {
            error.help(format!("write \"/{text}\""))
        });
    }
    let mut path = String::with_capacity(text.len());
    let mut rest = text.char_indices();
    while let Some((at, c)) = rest.next() {
        match c {
            '%' => {
                let byte = text.get(at + 1..at + 3).and_then(hex_pair);
                push_encoded(&mut path, byte.ok_or_else(|| bad_percent(at))?);
                rest.nth(1);
            }
            '?' => {
                return Err(Invalid::new("a path has no query").help("conditions on it are `query = { .. }`"));
            }
            '#' => return Err(Invalid::new("a path has no fragment; browsers never send one")),
            '\\' => return Err(Invalid::new("a backslash in a path").help("encoded it is `%5C`")),
            c if c.is_control() => return Err(Invalid::new("a control character in a path")),
            c if stands(c) => path.push(c),
            c => {
                let mut bytes = [0; 4];
                c.encode_utf8(&mut bytes).bytes().for_each(|byte| push_encoded(&mut path, byte));
            }
        }
    }
    check_segments(&path, prefix)?;
    Ok(path)
}

fn check_segments(path: &str, prefix: bool) -> Result<(), Invalid> {
    if path.contains("//") {
        return Err(empty_segment());
    }
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let open = prefix && segments.peek().is_none();
        if matches!(segment, "." | "..") && !open {
            let error = Invalid::new(format!("`{path}` has a dot segment and would never match"));
            return Err(error.help("requests are matched after dot segments are removed"));
        }
    }
    if path.contains("%00") {
        return Err(Invalid::new("a path with NUL would never match: such requests are refused"));
    }
    Ok(())
}

/// Whether a character stands in a path as it is (`pchar` of RFC 3986 section 3.3); all others are percent-encoded, in
/// requests too.
fn stands(c: char) -> bool {
    c.is_ascii_alphanumeric() || "/-._~!$&'()*+,;=:@".contains(c)
}

/// Unreserved characters (RFC 3986 section 2.3) plain, all others as upper-case hexadecimal.
fn push_encoded(path: &mut String, byte: u8) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
        path.push(char::from(byte));
    } else {
        path.extend(['%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

fn hex_pair(pair: &str) -> Option<u8> {
    pair.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u8::from_str_radix(pair, 16).ok())?
}

fn refuse_wildcard(text: &str, path: &str) -> Result<(), Invalid> {
    if !path.contains('*') {
        return Ok(());
    }
    let error = Invalid::new(format!("in `{text}` the `*` is not a whole last segment"));
    Err(match text.strip_suffix('*').filter(|head| !head.contains('*')) {
        Some(head) => error
            .help(format!("write \"{head}/*\" for whole segments, or \"~^{head}\" for any text after it")),
        None => error.help("a regex is written \"~regex\"; a literal `*` is `%2A`"),
    })
}

/// What version 2 of Traefik's language wrote for parameters, and version 3 takes literally: it never matches.
fn refuse_templates(text: &str) -> Result<(), Invalid> {
    if text.contains(['{', '}']) {
        let error = Invalid::new("`{` and `}` never stand in a request's path");
        return Err(error.help("parameters of version 2 are written with PathRegexp"));
    }
    Ok(())
}

fn bad_percent(at: usize) -> Invalid {
    Invalid::new("`%` without two hexadecimal digits").help("a literal percent sign is `%25`").at(at..at + 1)
}

fn empty_segment() -> Invalid {
    Invalid::new("an empty segment would never match").help("runs of slashes are merged before matching")
}
