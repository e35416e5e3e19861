//! Any bytes as `Host` or `:authority`: one form, and the same once more.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pn_proxy::laws::authority(bytes));
