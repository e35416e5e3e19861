//! Effective values and where they come from; lines of defaults are left out.

use super::{findings, front_text};

#[test]
fn nodes_inherit() {
    for (input, node, expected) in ROWS {
        let loaded = front_text(input);
        let page = loaded.explain(node).unwrap_or_else(|error| format!("error: {error}"));
        let lines = page.lines().filter(|line| !line.is_empty() && !line.ends_with("# default"));
        let page: Vec<_> = lines.map(squeezed).collect();
        let found = format!("{}{}", findings(&loaded), page.join("\n"));
        assert_eq!(found.trim_end(), *expected, "`{node}` of:\n{input}");
    }
}

/// Configuration, node, what is found and what `explain` shows.
const ROWS: &[(&str, &str, &str)] = &[
    (
        r#"[services.a]
servers = ["http://10.0.0.1:1"]
health-check = { path = "/h", interval = "5s" }
sticky = { cookie = "c" }
use = ["m1"]
[services.b]
extends = "a"
health-check = { interval = "7s" }
use = ["m2"]"#,
        r#"services.b"#,
        r#"[services.b] # t.toml:6:11
servers = [{ url = "http://10.0.0.1:1", weight = 1 }] # t.toml:2:11
use = [
    "m1", # t.toml:5:8
    "m2", # t.toml:9:8
]
sticky.cookie = "c" # t.toml:4:21
health-check.path = "/h" # t.toml:3:25
health-check.interval = "7s" # t.toml:8:29"#,
    ),
    (
        r#"[services.a]
servers = ["http://10.0.0.1:1"]
health-check = { path = "/h", interval = "5s" }
sticky = { cookie = "c" }
use = ["m1"]
[services.b]
extends = "a"
unset = ["sticky", "health-check", "use"]
use = ["m2"]"#,
        r#"services.b"#,
        r#"[services.b] # t.toml:6:11
servers = [{ url = "http://10.0.0.1:1", weight = 1 }] # t.toml:2:11
use = ["m2"] # t.toml:9:7"#,
    ),
    (
        r#"[services.a]
servers = ["http://10.0.0.1:1"]
health-check = { path = "/h", interval = "5s" }
sticky = { cookie = "c" }
use = ["m1"]
[services.b]
extends = "a"
respond = {}"#,
        r#"services.b"#,
        r#"[services.b] # t.toml:6:11
use = ["m1"] # t.toml:5:7"#,
    ),
    (
        r#"[services.a]
servers = ["http://10.0.0.1:1"]
health-check = { path = "/h", interval = "5s" }
sticky = { cookie = "c" }
use = ["m1"]
[services.b]
extends = "a"
servers = ["http://10.0.0.2:1"]
[services.c]
extends = "b"
unset = ["sticky"]
[defaults.services]
use = ["m0"]
outlier = { failures = 9 }"#,
        r#"services.c"#,
        r#"[services.c] # t.toml:9:11
servers = [{ url = "http://10.0.0.2:1", weight = 1 }] # t.toml:8:11
use = [
    "m0", # t.toml:13:8
    "m1", # t.toml:5:8
]
health-check.path = "/h" # t.toml:3:25
health-check.interval = "5s" # t.toml:3:42
outlier.failures = 9 # t.toml:14:24"#,
    ),
    (
        r#"[services.base]
abstract = true
health-check = { path = "/h" }
[services.b]
extends = "base"
servers = ["http://10.0.0.2:1"]"#,
        r#"services.base"#,
        r#"# abstract: only a parent, does not run
[services.base] # t.toml:1:11
health-check.path = "/h" # t.toml:3:25"#,
    ),
    (
        r#"[services.base]
abstract = true
health-check = { path = "/h" }
[services.b]
extends = "base"
servers = ["http://10.0.0.2:1"]"#,
        r#"services.b"#,
        r#"[services.b] # t.toml:4:11
servers = [{ url = "http://10.0.0.2:1", weight = 1 }] # t.toml:6:11
health-check.path = "/h" # t.toml:3:25"#,
    ),
    (
        r#"[services.a]
split = { x = 1 }
sticky = { cookie = "c" }
[services.b]
extends = "a"
split = { y = 2 }"#,
        r#"services.b"#,
        r#"[services.b] # t.toml:4:11
split.y = 2 # t.toml:6:15
sticky.cookie = "c" # t.toml:3:21"#,
    ),
    (
        r#"[services.a]
extends = "b"
respond = {}
[services.b]
extends = "c"
[services.c]
extends = "a"
[services.d]
extends = "d"
[services.e]
extends = "bb""#,
        r#"services.a"#,
        r#"t.toml:2:11 Error extends-cycle: `extends` goes in a circle: `a` → `b` → `c` → `a` (remove one `extends`)
t.toml:9:11 Error extends-cycle: `extends` goes in a circle: `d` → `d` (remove one `extends`)
t.toml:11:11 Error unknown-parent: `services.e` extends `bb`, which is not there (did you mean `b`?)
[services.a] # t.toml:1:11"#,
    ),
    (
        r#"[middlewares.a]
rate-limit = { rate = "1/s", burst = 5 }
[middlewares.b]
extends = "a"
rate-limit = { rate = "2/s" }"#,
        r#"middlewares.b"#,
        r#"[middlewares.b] # t.toml:3:14
rate-limit.rate = "2/s" # t.toml:5:23"#,
    ),
    (
        r#"[listeners.web]
use = ["x"]
[listeners.alt]
extends = "web"
address = ":81"
[defaults.listeners]
timeouts = { header = "1s" }
tls = true"#,
        r#"listeners.alt"#,
        r#"[listeners.alt] # t.toml:3:12
address = ":81" # t.toml:5:11
tls = true # t.toml:8:7
use = ["x"] # t.toml:2:7
timeouts.header = "1s" # t.toml:7:23"#,
    ),
    (
        r#"[listeners.websecure]
address = "10.0.0.1:8443""#,
        r#"listeners.websecure"#,
        r#"[listeners.websecure] # t.toml:1:12
address = "10.0.0.1:8443" # t.toml:2:11"#,
    ),
    (
        r#"[defaults.sites]
use = ["d"]
https = "both"
[sites.base]
abstract = true
hosts = ["x"]
use = ["p"]
to = "@ping"
[sites.base.routes."/a"]
use = ["pr"]
to = "@ping"
priority = 3
[sites.base.routes."/b"]
use = ["br"]
to = "@ping"
[sites."app.x"]
extends = "base"
use = ["s"]
[sites."app.x".routes."/a"]
use = ["r"]
redirect = "https://b"
[sites."app.x".routes."/b"]
unset = ["use"]
[[sites."app.x".routes."/c"]]
methods = ["GET"]
to = "@ping"
[[sites."app.x".routes."/c"]]
unset = ["use"]
use = ["own"]"#,
        r#"sites."app.x""#,
        r#"[sites."app.x"] # t.toml:16:8
https = "both" # t.toml:3:9
use = [
    "d", # t.toml:2:8
    "p", # t.toml:7:8
    "s", # t.toml:18:8
]
to = "@ping" # t.toml:8:6
[sites."app.x".routes."/a"] # t.toml:19:23
priority = 3 # t.toml:12:12
use = [
    "d", # t.toml:2:8
    "p", # t.toml:7:8
    "s", # t.toml:18:8
    "pr", # t.toml:10:8
    "r", # t.toml:20:8
]
redirect.to = "https://b" # t.toml:21:12
[sites."app.x".routes."/b"] # t.toml:22:23
to = "@ping" # t.toml:15:6
[[sites."app.x".routes."/c"]] # t.toml:24:1
methods = ["GET"] # t.toml:25:11
use = [
    "d", # t.toml:2:8
    "p", # t.toml:7:8
    "s", # t.toml:18:8
]
to = "@ping" # t.toml:26:6
[[sites."app.x".routes."/c"]] # t.toml:27:1
use = ["own"] # t.toml:29:7"#,
    ),
    (
        r#"[sites."a"]
to = "@ping"
[sites."b"]
extends = "a"
respond = {}
issuer = "x"
[sites."c"]
extends = "b"
certificate = [{ cert = "c.pem", key = "k.pem" }]"#,
        r#"sites.c"#,
        r#"[sites.c] # t.toml:7:8
certificate = [{ cert = "c.pem", key = "k.pem" }] # t.toml:9:15"#,
    ),
    (
        r#"[transports.a]
roots = ["r.pem"]
pool = { idle-per-server = 3 }
[transports.b]
extends = "a"
roots = ["s.pem"]
pool = { connections-per-server = 4 }"#,
        r#"transports.b"#,
        r#"[transports.b] # t.toml:4:13
roots = ["s.pem"] # t.toml:6:9
pool.idle-per-server = 3 # t.toml:3:28
pool.connections-per-server = 4 # t.toml:7:35"#,
    ),
    (
        r#"[services.a]
servers = ["http://10.0.0.1:1"]
transport = { protocol = "h1", timeouts = { connect = "1s" } }
[services.b]
extends = "a"
transport = { timeouts = { idle = "2s" } }"#,
        r#"services.b"#,
        r#"[services.b] # t.toml:4:11
servers = [{ url = "http://10.0.0.1:1", weight = 1 }] # t.toml:2:11
transport.protocol = "h1" # t.toml:3:26
transport.timeouts.connect = "1s" # t.toml:3:55
transport.timeouts.idle = "2s" # t.toml:6:35"#,
    ),
    (
        r#"[services.p]
abstract = true
sticky = { secure = false }
[services.c]
extends = "p"
servers = ["http://10.0.0.1:1"]
sticky = { cookie = "x" }
[services.d]
extends = "p"
servers = ["http://10.0.0.1:1"]"#,
        r#"services.c"#,
        r#"t.toml:3:10 Error missing-key: `services.d.sticky` lacks `cookie` (add `cookie = ..`: a string)
[services.c] # t.toml:4:11
servers = [{ url = "http://10.0.0.1:1", weight = 1 }] # t.toml:6:11
sticky.secure = false # t.toml:3:21
sticky.cookie = "x" # t.toml:7:21"#,
    ),
    (
        r#"[routes.a]
abstract = true
use = ["x"]
to = "@ping"
[routes.b]
extends = "a"
rule = "Host(`a`)"
use = ["y"]"#,
        r#"routes.b"#,
        r#"[routes.b] # t.toml:5:9
rule = "Host(`a`)" # t.toml:7:8
use = [
    "x", # t.toml:3:8
    "y", # t.toml:8:8
]
to = "@ping" # t.toml:4:6"#,
    ),
    (
        r#"[services.p]
abstract = true
mirror = {}
[services.c]
extends = "p"
[services.d]
respond = {}
abstract = 1"#,
        r#"services.c"#,
        r#"t.toml:3:1 Error not-in-this-version: `services.p.mirror` is not in this version (remove it; a key that does nothing would promise what is not kept)
t.toml:8:12 Error wrong-type: `services.d.abstract` must be `true` or `false`, not integer 1
[services.c] # t.toml:4:11"#,
    ),
];

/// One space before the place.
fn squeezed(line: &str) -> String {
    line.split_once("  ").filter(|(head, _)| !head.is_empty()).map_or_else(
        || match line.rsplit_once("  # ") {
            Some((value, place)) => format!("{} # {place}", value.trim_end()),
            None => line.to_owned(),
        },
        |(head, tail)| format!("{head} {}", tail.trim_start()),
    )
}

#[test]
fn chains_of_parents_are_bounded() {
    let chain = |order: &mut dyn Iterator<Item = usize>| {
        let node = |i| format!("[services.s{i}]\nextends = \"s{}\"\n", i + 1);
        order.map(node).collect::<String>() + "[services.s70]\nrespond = {}\n"
    };
    for text in [chain(&mut (0..70)), chain(&mut (0..70).rev())] {
        let found = findings(&front_text(&text));
        assert!(found.contains("extends-depth: `services.s5` has more than 64 parents"), "{found}");
        assert_eq!(found.lines().count(), 1, "{found}");
    }
}
