//! Any bytes at the beginning of a connection: a PROXY header lies within its bounds.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pn_proxy::laws::proxy_header(bytes));
