//! What the schema refuses, and what it says: keys, values, kinds, and what this version does not run.

use super::{findings, front_text};

fn check(rows: &[(&str, &str)]) {
    for (input, expected) in rows {
        let found = findings(&front_text(input));
        assert_eq!(found.trim_end(), *expected, "findings of:\n{input}");
    }
}

#[test]
fn keys_are_known_by_name_and_place() {
    check(KEYS);
}

const KEYS: &[(&str, &str)] = &[
    (
        r#"[services.a]
sevrers = ["http://10.0.0.1:1"]"#,
        r#"t.toml:2:1 Error unknown-key: unknown key `sevrers` in `services.a` (did you mean `servers`?)"#,
    ),
    (
        r#"[services.a]
servers = ["http://10.0.0.1:1"]
health-check = { pth = "/" }"#,
        r#"t.toml:3:18 Error unknown-key: unknown key `pth` in `services.a.health-check` (did you mean `path`?)"#,
    ),
    (
        r#"[services.a]
respond = {}
rate-limit = "1/s""#,
        r#"t.toml:3:1 Error unknown-key: unknown key `rate-limit` in `services.a` (`rate-limit` is a key of `middlewares.NAME`)"#,
    ),
    (
        r#"[services.a]
servers = ["http://10.0.0.1:1"]
cookie = "x""#,
        r#"t.toml:3:1 Error unknown-key: unknown key `cookie` in `services.a` (`cookie` is a key of `sticky` of `services.NAME`)"#,
    ),
    (
        r#"[servces.a]"#,
        r#"t.toml:1:2 Error unknown-key: unknown table or key `servces` at the top of the file (did you mean `services`?)"#,
    ),
    (
        r#"to = "x""#,
        r#"t.toml:1:1 Error unknown-key: unknown table or key `to` at the top of the file (`to` is a key of `sites.NAME` and of `redirect` of `sites.NAME` and of `routes.NAME`)"#,
    ),
    (
        r#"limits = 1"#,
        r#"t.toml:1:1 Error unknown-key: unknown table or key `limits` at the top of the file (`limits` is a key of `listeners.NAME`)"#,
    ),
    (
        r#"[services]
a = 1"#,
        r#"t.toml:2:5 Error wrong-type: `services.a` must be a table, not integer 1 (write `[services.a]` and its keys below)"#,
    ),
    (r#"services = 1"#, r#"t.toml:1:12 Error wrong-type: `services` must be a table, not integer 1"#),
    (
        r#"[services.A_b]
respond = {}"#,
        r#"t.toml:1:11 Error bad-name: `A_b` is not a name (names are lower-case letters, digits and hyphens, and do not start with a hyphen)"#,
    ),
    (
        r#"[defaults.middlewares]
headers = {}"#,
        r#"t.toml:1:11 Error unknown-key: `middlewares` have no defaults (there are defaults of listeners, sites, services, transports)"#,
    ),
    (
        r#"[defaults.service]"#,
        r#"t.toml:1:11 Error unknown-key: `service` have no defaults (did you mean `services`?)"#,
    ),
    (
        r#"[defaults.streams]"#,
        r#"t.toml:1:11 Error not-in-this-version: `streams` is not in this version (remove it; a key that does nothing would promise what is not kept)"#,
    ),
    (
        r#"[defaults.sites]
hosts = ["a"]
extends = "b""#,
        r#"t.toml:2:1 Error unknown-key: `hosts` cannot be a default (write it in the nodes themselves)
t.toml:3:1 Error unknown-key: `extends` cannot be a default (write it in the nodes themselves)"#,
    ),
    (
        r#"[services.a]
respond = {}
unset = ["stiky"]"#,
        r#"t.toml:3:10 Error unknown-key: `unset` names `stiky`, which is no key here (did you mean `sticky`?)"#,
    ),
    (
        r#"[sites.app.corp.example]
to = "http://10.0.0.1:1""#,
        r#"t.toml:1:8 Error unquoted-host: `sites.app.corp.example` is 3 nested tables, not a host (quote the host: `[sites."app.corp.example"]`)"#,
    ),
    (
        r#"[sites.localhost]
to = "http://10.0.0.1:1"
[sites.localhost.ruotes."/x"]
to = "http://10.0.0.1:1""#,
        r#"t.toml:3:18 Error unknown-key: unknown key `ruotes` in `sites.localhost` (did you mean `routes`?)"#,
    ),
    (
        r#"[sites."a"]
[sites."a".routes."/x"]
to = "http://10.0.0.1:1"
https = "off""#,
        r#"t.toml:4:1 Error site-key-in-route: `https` belongs to the site `a`, but stands in its route `/x` (TOML gives a key to the table header above it: move it up, below `[sites."a"]`)"#,
    ),
    (
        r#"[sites."a".routes."/x"]
to = "http://10.0.0.1:1"
method = "GET""#,
        r#"t.toml:3:1 Error unknown-key: unknown key `method` in `sites.a.routes."/x"` (did you mean `methods`?)"#,
    ),
    (
        r#"unknown-thing = 1
[sites.x]
zzz = 1"#,
        r#"t.toml:1:1 Error unknown-key: unknown table or key `unknown-thing` at the top of the file
t.toml:3:1 Error unknown-key: unknown key `zzz` in `sites.x`"#,
    ),
];

#[test]
fn a_node_has_one_kind_and_what_it_requires() {
    check(KINDS);
}

const KINDS: &[(&str, &str)] = &[
    (
        r#"[services.a]"#,
        r#"t.toml:1:11 Error kind-key: `services.a` has no kind (give it one of `servers`, `split`, `respond`, `redirect`)"#,
    ),
    (
        r#"[services.a]
servers = ["http://10.0.0.1:1"]
respond = {}"#,
        r#"t.toml:3:1 Error kind-key: `servers` and `respond` exclude each other in `services.a` (keep one of them) [t.toml:2:1 and this one]"#,
    ),
    (
        r#"[services.a]
respond = {}
health-check = {}"#,
        r#"t.toml:3:1 Error kind-key: `health-check` is for `servers`, not for `respond` (remove it)"#,
    ),
    (
        r#"[services.a]
split = { b = 1 }
sticky = { cookie = "x" }
retries = {}
[services.b]
respond = {}"#,
        r#"t.toml:4:1 Error kind-key: `retries` is for `servers`, not for `split` (remove it)"#,
    ),
    (
        r#"[services.a]
servers = [{ weight = 2 }]
sticky = {}"#,
        r#"t.toml:2:12 Error missing-key: `services.a.servers[0]` lacks `url` (add `url = ..`: a URL such as "http://10.0.0.1:8080")
t.toml:3:10 Error missing-key: `services.a.sticky` lacks `cookie` (add `cookie = ..`: a string)"#,
    ),
    (
        r#"[middlewares.a]
[middlewares.b]
chain = []
add-prefix = "/x""#,
        r#"t.toml:1:14 Error kind-key: `middlewares.a` has no kind (give it one of `headers`, `strip-prefix`, `strip-prefix-regex`, `add-prefix`, `replace-path`, `replace-path-regex`, `redirect-scheme`, `redirect-regex`, `basic-auth`, `ip-allow`, `rate-limit`, `in-flight`, `body-limit`, `compress`, `errors`, `pass-client-cert`, `chain`)
t.toml:4:1 Error kind-key: `chain` and `add-prefix` exclude each other in `middlewares.b` (keep one of them) [t.toml:3:1 and this one]"#,
    ),
    (
        r#"[issuers.a]"#,
        r#"t.toml:1:10 Error kind-key: `issuers.a` has no kind (give it one of `acme`, `internal-ca`)"#,
    ),
    (
        r#"[routes.a]
to = "http://10.0.0.1:1""#,
        r#"t.toml:1:9 Error missing-key: `routes.a` lacks `rule` (add `rule = ..`: a rule such as "Host(`a.internal`)")"#,
    ),
    (
        r#"[routes.a]
rule = "Host(`a`)""#,
        r#"t.toml:1:9 Error kind-key: `routes.a` leads nowhere (give it one of `to`, `respond`, `redirect`)"#,
    ),
    (
        r#"[listeners.x]"#,
        r#"t.toml:1:12 Error missing-key: `listeners.x` lacks `address` (add `address = ..`: an address such as "127.0.0.1:8080", or an array of such)"#,
    ),
    (
        r#"[sites."a"]
to = "http://10.0.0.1:1"
redirect = "https://b"
issuer = "x"
certificate = { cert = "c", key = "k" }"#,
        r#"t.toml:3:1 Error kind-key: `to` and `redirect` exclude each other in `sites.a` (keep one of them) [t.toml:2:1 and this one]
t.toml:5:1 Error kind-key: `issuer` and `certificate` exclude each other in `sites.a` (keep one of them) [t.toml:4:1 and this one]"#,
    ),
    (
        r#"[sites."a"]
to = "http://10.0.0.1:1"
certificate = { cert = "c" }"#,
        r#"t.toml:3:15 Error missing-key: `sites.a.certificate` lacks `key` (add `key = ..`: the path of a PEM file)"#,
    ),
];

#[test]
fn what_this_version_does_not_run_is_refused_by_name() {
    check(LATER);
}

const LATER: &[(&str, &str)] = &[
    (
        r#"[streams.db]
listen = ":5432"
[plugins.x]
[tracing]
[cluster]"#,
        r#"t.toml:1:2 Error not-in-this-version: `streams` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:3:2 Error not-in-this-version: `plugins` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:4:2 Error not-in-this-version: `tracing` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:5:2 Error not-in-this-version: `cluster` is not in this version (remove it; a key that does nothing would promise what is not kept)"#,
    ),
    (
        r#"[services.a]
mirror = { to = "b" }
[services.b]
failover = ["a"]
[services.c]
files = "/x"
[services.d]
fastcgi = {}"#,
        r#"t.toml:2:1 Error not-in-this-version: `services.a.mirror` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:4:1 Error not-in-this-version: `services.b.failover` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:6:1 Error not-in-this-version: `services.c.files` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:8:1 Error not-in-this-version: `services.d.fastcgi` is not in this version (remove it; a key that does nothing would promise what is not kept)"#,
    ),
    (
        r#"[middlewares]
a.forward-auth = {}
b.buffering = {}
c.circuit-breaker = {}
d.cors = {}
e.security-headers = {}
f.content-type = {}
h.cache = {}
i.jwt = {}
j.oidc = {}
k.api-key = {}
l.plugin = {}"#,
        r#"t.toml:2:3 Error not-in-this-version: `middlewares.a.forward-auth` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:3:3 Error not-in-this-version: `middlewares.b.buffering` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:4:3 Error not-in-this-version: `middlewares.c.circuit-breaker` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:5:3 Error not-in-this-version: `middlewares.d.cors` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:6:3 Error not-in-this-version: `middlewares.e.security-headers` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:7:3 Error not-in-this-version: `middlewares.f.content-type` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:8:3 Error not-in-this-version: `middlewares.h.cache` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:9:3 Error not-in-this-version: `middlewares.i.jwt` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:10:3 Error not-in-this-version: `middlewares.j.oidc` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:11:3 Error not-in-this-version: `middlewares.k.api-key` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:12:3 Error not-in-this-version: `middlewares.l.plugin` is not in this version (remove it; a key that does nothing would promise what is not kept)"#,
    ),
    (
        r#"[providers]
docker = {}
kubernetes = {}
etcd = {}
consul = {}
http = {}"#,
        r#"t.toml:2:1 Error not-in-this-version: `providers.docker` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:3:1 Error not-in-this-version: `providers.kubernetes` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:4:1 Error not-in-this-version: `providers.etcd` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:5:1 Error not-in-this-version: `providers.consul` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:6:1 Error not-in-this-version: `providers.http` is not in this version (remove it; a key that does nothing would promise what is not kept)"#,
    ),
    (
        r#"[listeners.web]
protocols = ["h1", "h3"]
[transports.x]
protocol = "h3"
[runtime]
io = "io-uring""#,
        r#"t.toml:2:20 Error not-in-this-version: `listeners.web.protocols[1]` is "h3", which is not in this version (use "h1", "h2" or "h2c")
t.toml:4:12 Error not-in-this-version: `transports.x.protocol` is "h3", which is not in this version (use "auto", "h1", "h2" or "h2c")
t.toml:6:6 Error not-in-this-version: `runtime.io` is "io-uring", which is not in this version (use "auto" or "epoll")"#,
    ),
    (
        r#"[tls-policies.a]
signals = {}
[sites."a".routes."/"]
to = "http://10.0.0.1:1"
tls = { ja4 = "x" }"#,
        r#"t.toml:2:1 Error not-in-this-version: `tls-policies.a.signals` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:5:7 Error not-in-this-version: `sites.a.routes."/".tls` is not in this version (remove it; a key that does nothing would promise what is not kept)"#,
    ),
    (
        r#"[services.a]
servers = ["http://10.0.0.1:1"]
balance = "least-time""#,
        r#"t.toml:3:11 Error not-in-this-version: `services.a.balance` is "least-time", which is not in this version (use "round-robin", "least-conn" or "p2c")"#,
    ),
    (
        r#"[sites."a"]
files = "/srv""#,
        r#"t.toml:2:1 Error not-in-this-version: `sites.a.files` is not in this version (remove it; a key that does nothing would promise what is not kept)"#,
    ),
];
