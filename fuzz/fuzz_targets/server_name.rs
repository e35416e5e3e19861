//! Any text as the server name of a ClientHello: one form, and the same once more. The hello itself is read by rustls.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Some(name) = pn_tls::normalise_sni(text) else { return };
    assert_eq!(pn_tls::normalise_sni(&name).as_deref(), Some(&*name));
});
