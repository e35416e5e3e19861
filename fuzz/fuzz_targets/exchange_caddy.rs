//! Any files as Caddy's folder, path and content by turns: what is written stays below its folder.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pn_acme::laws::caddy(bytes));
