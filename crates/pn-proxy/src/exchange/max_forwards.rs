//! Max-Forwards (RFC 9110 section 7.6.2): how many more recipients an OPTIONS or TRACE may have. Nothing else is limited
//! so.

use http::header::{HeaderValue, MAX_FORWARDS};
use http::{Method, StatusCode};
use pn_core::context::FieldList;
use pn_core::{ErrorKind, ProxyError, Reply};

/// Takes one recipient off. `false` when none is left and this proxy is the last.
pub(crate) fn count(method: &Method, headers: &mut FieldList) -> bool {
    if !matches!(*method, Method::OPTIONS | Method::TRACE) {
        return true;
    }
    let left = headers.get(&MAX_FORWARDS).and_then(|value| value.to_str()?.parse::<u32>().ok());
    match left {
        None => true,
        Some(0) => false,
        Some(left) => {
            headers.insert(&MAX_FORWARDS, &HeaderValue::from(left - 1));
            true
        }
    }
}

/// What the last recipient says. A TRACE would be reflected with every credential in it, which nobody should see.
pub(crate) fn answer(method: &Method) -> Result<Reply, ProxyError> {
    match *method {
        Method::OPTIONS => Ok(Reply::new(StatusCode::NO_CONTENT)),
        _ => Err(ProxyError::new(ErrorKind::MethodUnsupported)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_options_and_trace_are_counted() {
        for (method, value, goes_on, left) in [
            (Method::OPTIONS, "3", true, "2"),
            (Method::TRACE, "1", true, "0"),
            (Method::OPTIONS, "0", false, "0"),
            (Method::GET, "0", true, "0"),
            (Method::OPTIONS, "x", true, "x"),
        ] {
            let mut headers = FieldList::new();
            headers.insert(&MAX_FORWARDS, &HeaderValue::from_static(value));
            assert_eq!(count(&method, &mut headers), goes_on, "{method} {value}");
            assert_eq!(headers.get(&MAX_FORWARDS).unwrap(), left, "{method} {value}");
        }
    }
}
