//! Any bytes as a connection's input, to the codec and to hyper: both see the same, but for the differences that are
//! wanted. The first byte says which side is played.
#![no_main]

#[allow(unused_imports, reason = "the tests look at each side alone, too")]
#[path = "../../crates/pn-http1/tests/oracle/mod.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| match bytes.split_first() {
    Some((0..=0x7f, input)) => oracle::requests(input),
    Some((_, input)) => oracle::responses(input),
    None => {}
});
