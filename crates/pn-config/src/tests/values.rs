//! What the schema says of single values: types, units, ranges, words.

use super::{findings, front_text};

#[test]
fn values_have_types_units_and_ranges() {
    for (input, expected) in ROWS {
        assert_eq!(findings(&front_text(input)).trim_end(), *expected, "findings of:\n{input}");
    }
}

const ROWS: &[(&str, &str)] = &[
    (
        r#"[services.a]
respond = { status = "999" }"#,
        r#"t.toml:2:22 Error wrong-value: `services.a.respond.status` is "999": a status code is a number from 100 to 599"#,
    ),
    (
        r#"[services.a]
respond = { status = 99 }"#,
        r#"t.toml:2:22 Error wrong-value: `services.a.respond.status` is 99: a status code is a number from 100 to 599"#,
    ),
    (
        r#"[services.a]
servers = "http://10.0.0.1:1"
retries = { on = ["connect", "502", 503, "50x"], attempts = 11, budget = 2 }"#,
        r#"t.toml:3:42 Error wrong-value: `services.a.retries.on[3]` is "50x", but must be "connect", "reset" or "timeout", or a status code such as 404
t.toml:3:61 Error wrong-value: `services.a.retries.attempts` is 11, but must be an integer from 1 to 10
t.toml:3:74 Error wrong-value: `services.a.retries.budget` is 2, but must be a number from 0 to 1"#,
    ),
    (
        r#"[runtime]
workers = -1
history = 1000
router = "sequentail""#,
        r#"t.toml:2:11 Error wrong-value: `runtime.workers` is -1, but must be an integer from 0 to 1024
t.toml:3:11 Error wrong-value: `runtime.history` is 1000, but must be an integer from 1 to 100
t.toml:4:10 Error wrong-value: `runtime.router` is "sequentail", which is not known (did you mean `sequential`?)"#,
    ),
    (
        r#"[runtime]
workers = "4""#,
        r#"t.toml:2:11 Error wrong-type: `runtime.workers` must be an integer from 0 to 1024, not string "4" (without quotes: 4)"#,
    ),
    (
        r#"[listeners.web]
timeouts = { header = 10, drain = "10 s", handshake = "0s", body-idle = "1x" }"#,
        r#"t.toml:2:23 Error wrong-type: `listeners.web.timeouts.header` must be a duration such as "10s", not integer 10 (write the unit: "10s")
t.toml:2:35 Error wrong-value: `listeners.web.timeouts.drain` is "10 s": a duration is a number and a unit: "10s", "250ms", "1h30m" (ns, us, ms, s, m, h, d)
t.toml:2:55 Error wrong-value: `listeners.web.timeouts.handshake` is "0s": the bounds are 1ms and 365d
t.toml:2:73 Error wrong-value: `listeners.web.timeouts.body-idle` is "1x": a duration is a number and a unit: "10s", "250ms", "1h30m" (ns, us, ms, s, m, h, d)"#,
    ),
    (
        r#"[listeners.web]
limits = { header-bytes = "2MiB", headers = 0 }"#,
        r#"t.toml:2:27 Error wrong-value: `listeners.web.limits.header-bytes` is "2MiB": the bounds are 1KiB and 1MiB
t.toml:2:45 Error wrong-value: `listeners.web.limits.headers` is 0, but must be an integer from 1 to 1024"#,
    ),
    (
        r#"[listeners.web]
limits = { header-bytes = 100 }"#,
        r#"t.toml:2:27 Error wrong-value: `listeners.web.limits.header-bytes` is 100: the bounds are 1KiB and 1MiB"#,
    ),
    (
        r#"[listeners.web]
limits = { header-bytes = "64K" }"#,
        r#"t.toml:2:27 Error wrong-value: `listeners.web.limits.header-bytes` is "64K": a size is a number and a unit: "64KiB", "2MiB", "1GB" (B, KB, MB, GB, TB, KiB, MiB, GiB, TiB)"#,
    ),
    (
        r#"[listeners.web]
tls = "yes""#,
        r#"t.toml:2:7 Error wrong-type: `listeners.web.tls` must be `true` or `false`, not string "yes""#,
    ),
    (
        r#"[listeners.web]
trusted-proxies = ["10.0.0.0/33", "10.0.0.1/8", "::1"]"#,
        r#"t.toml:2:20 Error wrong-value: `listeners.web.trusted-proxies[0]` is not valid: `10.0.0.0/33` is neither an address nor a network (write "10.0.0.1", "10.0.0.0/8" or "fd00::/8")
t.toml:2:35 Error wrong-value: `listeners.web.trusted-proxies[1]` is not valid: `10.0.0.1/8` has bits beyond its prefix (the network is "10.0.0.0/8", the address "10.0.0.1")"#,
    ),
    (
        r#"[middlewares.a]
rate-limit = { rate = "5" }
[middlewares.b]
rate-limit = { rate = "0/s" }"#,
        r#"t.toml:2:23 Error wrong-value: `middlewares.a.rate-limit.rate` is "5": a rate is a number and a period: "100/s", "5/m", "10/30s"
t.toml:4:23 Error wrong-value: `middlewares.b.rate-limit.rate` is "0/s": a rate of nothing lets nobody in: both numbers must be at least 1"#,
    ),
    (
        r#"[middlewares.a]
errors = { status = ["500-400"], service = "@whoami", path = "/" }"#,
        r#"t.toml:2:22 Error wrong-value: `middlewares.a.errors.status[0]` is "500-400": a status is "404" or a range "500-599", of codes 100 to 599"#,
    ),
    (
        r#"[middlewares.a]
redirect-regex = { regex = '(', replacement = 'x' }"#,
        r#"t.toml:2:28 Error wrong-value: `middlewares.a.redirect-regex.regex` is not valid: the regex `(` does not compile: unclosed group"#,
    ),
    (
        r#"[middlewares.a]
redirect-regex = { regex = "\bfoo", replacement = "x" }"#,
        r#"t.toml:2:28 Error regex-escape: `middlewares.a.redirect-regex.regex` holds a control character where the regex was to have a backslash (write the regex in 'single quotes', which keep backslashes)"#,
    ),
    (
        r#"[sites."a"]
to = 5"#,
        r#"t.toml:2:6 Error wrong-type: `sites.a.to` must be a service or an address, not integer 5"#,
    ),
    (
        r#"[sites."a"]
to = """#,
        r#"t.toml:2:6 Error wrong-value: `sites.a.to` is empty; it takes a service or an address"#,
    ),
    (
        r#"[sites."a"]
to = "http://10.0.0.1:1"
use = "x""#,
        r#"t.toml:3:7 Error wrong-type: `sites.a.use` must be an array, each the name of one of `middlewares`, not string "x" (write an array: ["x"])"#,
    ),
    (
        r#"[sites."a".routes]
"/x" = []
"/y" = 1
"/z" = [1]"#,
        r#"t.toml:2:8 Error wrong-value: `sites.a.routes."/x"` has no entry
t.toml:3:8 Error wrong-type: `sites.a.routes."/y"` must be a table, not integer 1 (write `[sites.a.routes."/y"]` and its keys below)
t.toml:4:9 Error wrong-type: `sites.a.routes."/z"[0]` must be a table, not integer 1 (write `[sites.a.routes."/z"[0]]` and its keys below)"#,
    ),
    (
        r#"[sites."a".routes."/x"]
to = "http://10.0.0.1:1"
headers = { X = 1 }"#,
        r#"t.toml:3:17 Error wrong-type: `sites.a.routes."/x".headers.X` must be `true` or `false`, or a string, not integer 1"#,
    ),
    (
        r#"[services.a]
split = { b = "x" }
[services.b]
respond = {}"#,
        r#"t.toml:2:15 Error wrong-type: `services.a.split.b` must be an integer from 0 to 1000000, not string "x""#,
    ),
    (
        r#"[services.a]
servers = ["http://10.0.0.1:1"]
balance = "least""#,
        r#"t.toml:3:11 Error wrong-value: `services.a.balance` is "least", which is not known (it takes "round-robin", "least-conn" or "p2c")"#,
    ),
    (
        r#"[services.a]
servers = ["http://10.0.0.1:1"]
balance = { hash = "cookie" }"#,
        r#"t.toml:3:20 Error wrong-value: `services.a.balance.hash` is "cookie", which is not known (it takes "client-ip")"#,
    ),
    (
        r#"[tls-policies.a]
min-version = "1.1"
cipher-suites = ["TLS_RSA_WITH_RC4_128_SHA"]
groups = ["secp256r"]"#,
        r#"t.toml:2:15 Error wrong-value: `tls-policies.a.min-version` is "1.1", which is not known (it takes "1.2" or "1.3")
t.toml:3:18 Error wrong-value: `tls-policies.a.cipher-suites[0]` is "TLS_RSA_WITH_RC4_128_SHA", which is not known (it takes "TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" or "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256")
t.toml:4:11 Error wrong-value: `tls-policies.a.groups[0]` is "secp256r", which is not known (did you mean `secp256r1`?)"#,
    ),
    (
        r#"[tls-policies.a]
min-version = 1.2"#,
        r#"t.toml:2:15 Error wrong-type: `tls-policies.a.min-version` must be "1.2" or "1.3", not float 1.2 (put it in quotes)"#,
    ),
    (
        r#"[metrics]
buckets = [0.1, "x"]"#,
        r#"t.toml:2:17 Error wrong-type: `metrics.buckets[1]` must be a number from 0.000001 to 86400, not string "x""#,
    ),
    (
        r#"[runtime]
state-dir = 1979-05-27
workers = 99999999999999999999"#,
        r#"t.toml:2:13 Error date: no key takes a date or a time of day; quote it if it is text
t.toml:3:11 Error number: the number does not fit 64 bits"#,
    ),
];
