//! What a service is reached by: the API past no guard, cookies over plain HTTP.

use super::check;
use crate::tests::{Memory, findings, load_text, load_with};
use crate::{Format, Input};

#[test]
fn the_api_is_shown_to_those_who_may_see_it() {
    let text = |site: &str, more: &str| {
        format!(
            "[sites.\"a.lan\"]\nto = \"@api\"\n{site}\n[middlewares]\nin-house.ip-allow = {{ ranges = \"10.0.0.0/8\" }}\n\
             all.chain = [\"in-house\"]\n{more}\n"
        )
    };
    let auth = |mode: &str| format!("[tls-policies.p.client-auth]\nmode = \"{mode}\"\nroots = [\"r.pem\"]\n");
    let local = "[listeners.here]\naddress = [\"127.0.0.1:8080\", \"unix:/run/x\"]\n";
    for (site, more, open) in [
        ("", String::new(), true),
        ("https = \"off\"", String::new(), true),
        ("use = [\"in-house\"]", String::new(), false),
        ("use = [\"all\"]", String::new(), false),
        ("use = [\"all\"]\nroutes.\"/x\".unset = [\"use\"]", String::new(), true),
        ("", "[listeners.websecure]\nuse = [\"in-house\"]".to_owned(), false),
        ("https = \"both\"", "[listeners.websecure]\nuse = [\"in-house\"]".to_owned(), true),
        ("tls-policy = \"p\"", auth("require-and-verify"), false),
        ("tls-policy = \"p\"", auth("verify-if-given"), true),
        ("tls-policy = \"p\"\nhttps = \"both\"", auth("require-and-verify"), true),
        ("listeners = [\"here\"]", local.to_owned(), false),
        (
            "listeners = [\"here\"]",
            "[listeners.here]\naddress = [\"127.0.0.1:8080\", \":8081\"]".to_owned(),
            true,
        ),
        ("#split", "[services.s]\nsplit = { \"@ping\" = 1, \"@api\" = 1 }".to_owned(), true),
        ("#split", "[services.s]\nsplit = { \"@api\" = 1 }\nuse = [\"in-house\"]".to_owned(), false),
    ] {
        let text = text(site, &more).replace("to = \"@api\"\n#split", "to = \"s\"");
        let got = findings(&load_with(&Memory::default(), &[input(&text)], true));
        assert_eq!(got.contains("Warning open-api"), open, "{text}{got}");
        assert!(!got.contains("Error"), "{text}{got}");
    }
    check(
        "[sites.\"a.lan\"]\nto = \"@api\"\n",
        &[
            "t.toml:2:6 Warning open-api: the route `a.lan/*` shows `@api` to everybody who reaches listener `websecure`: \
         every host and server is named there (guard it with `ip-allow` or `basic-auth`, or by a TLS policy that \
         verifies client certificates)",
        ],
    );
}

#[test]
fn cookies_that_no_browser_takes() {
    let text = |site: &str, sticky: &str, more: &str| {
        format!(
            "[sites.\"a.lan\"]\nto = \"s\"\n{site}\n[services.s]\nservers = [\"http://a:1\"]\n\
             sticky = {{ cookie = \"c\"{sticky} }}\n{more}\n"
        )
    };
    let proxied = "[listeners.web]\ntrusted-proxies = [\"10.0.0.0/8\"]";
    let second = "[sites.\"b.lan\"]\nto = \"s\"";
    let group = "[services.g]\nsplit = { s = 1 }";
    for (site, sticky, more, useless) in [
        ("", "", "", false),
        ("https = \"both\"", "", "", false),
        ("https = \"off\"", "", "", true),
        ("https = \"off\"", ", secure = true", "", true),
        ("https = \"off\"", ", secure = false", "", false),
        ("https = \"off\"", "", proxied, false),
        ("https = \"off\"", "", second, false),
        ("https = \"off\"\nroutes.\"/g\".to = \"g\"", "", group, true),
        ("listeners = [\"web\"]", "", "", true),
    ] {
        let text = text(site, sticky, more);
        let got = findings(&load_text(&text));
        assert_eq!(got.contains("Warning cookie-without-tls"), useless, "{text}{got}");
    }
    check(
        &text("https = \"off\"", "", ""),
        &[
            "t.toml:6:10 Warning cookie-without-tls: browsers take no `Secure` cookie over plain HTTP, and no site with TLS \
         leads to `s`: nobody sticks (give the site TLS, or set `secure = false` in `sticky`)",
        ],
    );
}

fn input(text: &str) -> Input {
    Input::Text { name: "t.toml".to_owned(), text: text.to_owned(), format: Format::Auto }
}
