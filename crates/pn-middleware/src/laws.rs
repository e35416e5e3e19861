//! What holds for whatever stands in a file of users, for the tests and the fuzzers. Not part of any build but those.

/// Any text as the lines of a users file: an error names a line and shows no hash.
pub fn htpasswd(text: &str) {
    crate::basic_auth::htpasswd_law(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_kind() {
        for text in [
            "",
            "#",
            ":",
            "a",
            "a:",
            ":{SHA}",
            "a:{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=",
            "a:$apr1$salt$x\na:$apr1$salt$y",
            "a:$2y$05$",
            "a:$2y$99$0123456789012345678901uabcdefghijklmnopqrstuvwxyz01234",
            "\u{e9}:$apr1$$",
            "a:$apr1$",
        ] {
            htpasswd(text);
        }
    }
}
