//! Any text as a path: what normalising promises holds.
#![no_main]

libfuzzer_sys::fuzz_target!(|path: &str| pn_core::path::laws::hold(path));
