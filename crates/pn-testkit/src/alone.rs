//! A network and a view of the file system for one test alone: every port is free, and the resolver can be another.

use std::any::type_name;
use std::env;
use std::process::Command;
use std::time::Duration;

use crate::process::Peer;

const INSIDE: &str = "PROXY_NOW_TEST_ALONE";
/// Longest that a test may take inside.
const LIMIT: Duration = Duration::from_secs(110);
/// Names are resolved at 127.0.0.1 in there, by whomever the test starts.
const SCRIPT: &str = "ip link set lo up && echo 'nameserver 127.0.0.1' >\"$0\" \
    && mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";

/// Runs the body of a test in namespaces of its own, in another process of the same test binary. All that the test does
/// is to be in there, and the closure is to be written in the test itself: its path tells which test to run.
#[track_caller]
pub fn alone<F: FnOnce()>(test: F) {
    if env::var_os(INSIDE).is_some() {
        return test();
    }
    let (_, path) = type_name::<F>().split_once("::").expect("a path with its crate");
    let name = path.trim_end_matches("::{{closure}}");
    let folder = crate::Folder::new();
    let mut command = Command::new("unshare");
    command.args(["-rmn", "setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", SCRIPT]);
    command.arg(folder.join("resolv.conf")).arg(env::current_exe().expect("the path of this test"));
    command.args(["--exact", name, "--nocapture"]).env(INSIDE, "1");
    let finished = Peer::run(name, &command, LIMIT);
    let passed = finished.status.success() && finished.stdout.contains("1 passed");
    assert!(passed, "{name} alone: {}\n{}\n{}", finished.status, finished.stdout, finished.stderr);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_is_free_there() {
        alone(|| {
            std::net::TcpListener::bind("127.0.0.1:80").unwrap();
            let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap();
            assert_eq!(resolver, "nameserver 127.0.0.1\n");
        });
    }
}
