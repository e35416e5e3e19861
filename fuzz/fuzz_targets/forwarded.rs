//! Any two lines as `X-Forwarded-For` and `Forwarded`: nobody is believed who is not trusted.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pn_proxy::laws::forwarded(bytes));
