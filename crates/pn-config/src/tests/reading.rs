//! Files, includes, merging and interpolation.

use super::{findings, front_files};

#[test]
fn files_are_found_and_merged() {
    for (files, input, expected) in ROWS {
        let found = findings(&front_files(files, input));
        assert_eq!(found.trim_end(), *expected, "findings of {input} in {files:?}");
    }
}

const ROWS: &[(&[(&str, &str)], &str, &str)] = &[
    (
        &[
            (
                "conf/a.toml",
                r#"[services.s]
respond = {}"#,
            ),
            ("conf/b.json", r#"{"services": {"s": {"respond": {}}, "t": {"respond": {}}}}"#),
            ("conf/c.txt", r#"nonsense"#),
            ("conf/.d.toml", r#"nonsense"#),
        ],
        "conf",
        r#"conf/b.json:1:21 Error duplicate-key: `services.s.respond` is defined twice (keep one of them) [conf/a.toml:2:1 first here]"#,
    ),
    (
        &[("conf/x.txt", r#""#)],
        "conf",
        r#"- Error empty-directory: the directory `conf` holds no *.toml or *.json (check the path)"#,
    ),
    (
        &[(
            "t.toml",
            r#"[sites."a"]
to = "http://10.0.0.1:1""#,
        )],
        "nope.toml",
        r#"- Error unreadable-file: cannot read `nope.toml`: it does not exist (check the path; relative ones start at the file that names them)"#,
    ),
    (
        &[
            ("main.toml", r#"include = ["conf.d/*.toml", "more.json"]"#),
            (
                "conf.d/a.toml",
                r#"[services.s]
respond = {}"#,
            ),
            (
                "conf.d/b.toml",
                r#"[services.s]
use = []
respond = { status = 404 }"#,
            ),
            ("more.json", r#"{"services": {"u": {"zzz": 1}}}"#),
        ],
        "main.toml",
        r#"conf.d/b.toml:3:1 Error duplicate-key: `services.s.respond` is defined twice (keep one of them) [conf.d/a.toml:2:1 first here]
more.json:1:21 Error unknown-key: unknown key `zzz` in `services.u`"#,
    ),
    (
        &[(
            "main.toml",
            r#"include = ["nope.toml", "nope.d/*.toml", 5]
[sites."a"]
to = "http://10.0.0.1:1""#,
        )],
        "main.toml",
        r#"main.toml:1:12 Error unreadable-file: cannot read `nope.toml`: it does not exist (check the path; relative ones start at the file that names them)
main.toml:1:42 Error wrong-type: `include` takes paths of files, not an integer (write `include = ["conf.d/*.toml"]`)"#,
    ),
    (
        &[
            ("main.toml", r#"include = "a.toml""#),
            ("a.toml", r#"include = ["b.toml"]"#),
            ("b.toml", r#"include = ["main.toml", "b.toml"]"#),
        ],
        "main.toml",
        r#"b.toml:1:12 Error include-cycle: `main.toml` includes itself (remove this include)
b.toml:1:25 Error include-cycle: `b.toml` includes itself (remove this include)"#,
    ),
    (
        &[
            ("main.toml", r#"include = ["*.toml", "a.toml"]"#),
            (
                "a.toml",
                r#"[sites."a"]
to = "http://10.0.0.1:1""#,
            ),
        ],
        "main.toml",
        r#""#,
    ),
    (
        &[
            ("main.toml", r#"include = ["a.toml", "b.toml", "c.toml"]"#),
            ("a.toml", r#"denied"#),
            ("b.toml", r#"huge"#),
            (
                "c.toml",
                r#"[services.a]
zzz = 1
respond = {}"#,
            ),
        ],
        "main.toml",
        r#"main.toml:1:12 Error unreadable-file: cannot read `a.toml`: permission denied (let the user that runs proxy-now read it, and enter its directories)
main.toml:1:22 Error unreadable-file: cannot read `b.toml`: it is larger than 67108864 bytes (split it, or check that it is the right file)
c.toml:2:1 Error unknown-key: unknown key `zzz` in `services.a`"#,
    ),
    (
        &[("main.toml", r#"include = ["sub"]"#), ("sub/a.toml", r#""#)],
        "main.toml",
        r#"main.toml:1:12 Error unreadable-file: cannot read `sub`: it is a directory (name a file)"#,
    ),
    (
        &[
            (
                "main.toml",
                r#"include = ["a.toml"]
[sites."x".routes."/a"]
to = "@whoami"
[runtime]
workers = 1"#,
            ),
            (
                "a.toml",
                r#"[sites."x"]
to = "@ping"
[sites."x".routes."/a"]
methods = ["GET"]
to = "@ping"
[sites."x".routes."/b"]
to = "@ping"
[runtime]
history = 3
[sites."y".routes."/a"]
to="@ping""#,
            ),
        ],
        "main.toml",
        r#"a.toml:5:1 Error duplicate-key: `sites.x.routes."/a".to` is defined twice (keep one of them) [main.toml:3:1 first here]"#,
    ),
    (
        &[
            (
                "main.toml",
                r#"include = ["bad.toml"]
[services.a]
zzz = 1
respond = {}"#,
            ),
            (
                "bad.toml",
                r#"[services.b
yyy = 1"#,
            ),
        ],
        "main.toml",
        r#"main.toml:3:1 Error unknown-key: unknown key `zzz` in `services.a`
bad.toml:1:12 Error syntax: invalid TOML: unclosed table, expected `]`"#,
    ),
];
