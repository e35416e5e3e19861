//! Bytes as choices of a graph and of requests: both matchers give the answer that the prose gives.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pn_core::router::laws::differential(bytes);
});
