//! Any text as a file of users.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| pn_middleware::laws::htpasswd(text));
