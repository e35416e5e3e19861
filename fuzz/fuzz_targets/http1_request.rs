//! Any bytes as a request of HTTP/1: the laws of heads and bodies hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pn_http1::laws::request(bytes));
