//! Any bytes as Traefik's `acme.json`: what is taken from it survives being written and read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pn_acme::laws::traefik(bytes));
