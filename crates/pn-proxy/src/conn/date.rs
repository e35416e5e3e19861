//! The `Date` of responses (RFC 9110 section 6.6.1), written once a second.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

struct DateCache {
    second: u64,
    value: http::HeaderValue,
}

thread_local! {
    static DATE_CACHE: RefCell<Option<DateCache>> = const { RefCell::new(None) };
}

/// The `Date` of this second.
pub(super) fn with_date(use_it: impl FnOnce(&http::HeaderValue)) {
    let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    DATE_CACHE.with_borrow_mut(|cache| {
        if cache.as_ref().is_none_or(|cache| cache.second != second) {
            let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
            *cache = http::HeaderValue::try_from(text).ok().map(|value| DateCache { second, value });
        }
        if let Some(cache) = cache {
            use_it(&cache.value);
        }
    });
}
