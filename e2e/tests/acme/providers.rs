//! The API of a DNS provider in the configuration of a binary that was built without any.

use pn_testkit::Authority;

use crate::place::{LISTENERS, Place};

const SITES: &str = r#"
[issuers.main.acme]
directory = "<directory>"
dns = { provider = "cloudflare", settings = { token = "hush-hush" } }

[sites."*.proxy.example"]
respond = { body = "any" }
"#;

#[test]
fn a_provider_that_is_not_built_in_is_refused_with_the_remedy() {
    let place = Place::new();
    let mut setup = place.setup("https://localhost/dir", &Authority::new());
    let config = format!("{LISTENERS}{SITES}");
    let checked = setup.command(&["check", "site.toml"], &config);
    let refused = setup.refuse(&config);
    for told in [checked, refused] {
        let all = format!("{}{}", told.stdout, told.stderr);
        assert_eq!(told.code(), 1, "{all}");
        for each in ["no DNS provider `cloudflare`", "`--features dns-providers`", "`exec` or `httpreq`"] {
            assert!(all.contains(each), "{each:?} in {all}");
        }
        assert!(!all.contains("hush-hush"), "{all}");
    }
}
