//! Parts of HTTP messages: methods, field names and values, cookie names, media types.

use super::Invalid;

/// A field name (RFC 9110 section 5.1), lower-case.
pub(crate) fn header_name(text: &str) -> Result<String, Invalid> {
    if !token(text) {
        return Err(Invalid::new(format!("`{text}` is no name of a header field")));
    }
    Ok(text.to_ascii_lowercase())
}

/// A field value (RFC 9110 section 5.5): visible ASCII, spaces and tabs inside.
pub(crate) fn header_value(text: &str) -> Result<String, Invalid> {
    if text.bytes().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
        return Err(Invalid::new("a field value has no line breaks"));
    }
    if !text.bytes().all(|b| b == b'\t' || b == b' ' || b.is_ascii_graphic()) {
        return Err(Invalid::new("a field value is made of visible ASCII characters, spaces and tabs"));
    }
    if text.trim() != text {
        return Err(Invalid::new("a field value neither starts nor ends with white space"));
    }
    Ok(text.to_owned())
}

/// A method (RFC 9110 section 9.1), upper-case.
pub(crate) fn method(text: &str) -> Result<String, Invalid> {
    if !token(text) {
        return Err(Invalid::new(format!("`{text}` is no method")).help("methods are written like \"GET\""));
    }
    Ok(text.to_ascii_uppercase())
}

/// The name of a cookie (RFC 6265 section 4.1.1).
pub(crate) fn cookie_name(text: &str) -> Result<String, Invalid> {
    if !token(text) {
        let error = Invalid::new(format!("`{text}` is no name of a cookie"));
        return Err(error.help("letters, digits and !#$%&'*+-.^_`|~"));
    }
    Ok(text.to_owned())
}

/// `text/html`, `text/*`, `image/svg+xml`, lower-case, without parameters.
pub(crate) fn media_type(text: &str) -> Result<String, Invalid> {
    match text.split_once('/') {
        Some((kind, sub)) if token(kind) && token(sub) && !kind.contains('*') => {
            Ok(text.to_ascii_lowercase())
        }
        _ => {
            Err(Invalid::new(format!("`{text}` is no media type")).help("write \"text/html\" or \"text/*\""))
        }
    }
}

/// RFC 9110 section 5.6.2.
fn token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
