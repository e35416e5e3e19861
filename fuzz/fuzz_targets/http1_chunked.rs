//! Any bytes as a chunked body: cut anywhere it is the same, and what is read can be written and read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pn_http1::laws::chunked(bytes));
