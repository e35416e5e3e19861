//! Bytes as choices of a rule and of requests: its branches say what the rule says.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pn_core::router::laws::rule_match(bytes));
