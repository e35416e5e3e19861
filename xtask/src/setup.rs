//! Installs what the tests and the yardstick need and the machine lacks: Debian packages, and Python packages in a
//! folder of their own. Starts no service and changes nothing that is there. Downloads by package name only.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process::{MINUTE, capture, cargo_has, find, root, run};

/// Program, and the Debian package that has it.
const PROGRAMS: &[(&str, &str)] = &[
    ("nginx", "nginx-light"),
    ("haproxy", "haproxy"),
    ("wrk", "wrk"),
    ("h2load", "nghttp2-client"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("ip", "iproute2"),
    ("named", "bind9"),
    ("nsupdate", "bind9-dnsutils"),
    ("dig", "bind9-dnsutils"),
    ("pebble", "pebble"),
    // It brings the server, too.
    ("pdns_server", "pdns-backend-lmdb"),
    ("faketime", "faketime"),
    ("setpriv", "util-linux"),
    // `bench gate` counts instructions with it.
    ("valgrind", "valgrind"),
    ("python3", "python3"),
    // The C parts of aws-lc and zstd are built with it.
    ("cc", "gcc"),
];
const REQUIREMENTS: &str = "crates/pn-testkit/python/requirements.txt";
/// Debian asks this program before it starts a service of a package it has just installed; 101 means no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// What `cargo xtask test` and `ci` need.
pub(crate) fn tests() -> Result<()> {
    debian_packages()?;
    python_packages()?;
    rust_components()
}

/// What `cargo xtask bench compare` needs beyond that; its own script knows.
pub(crate) fn bench() -> Result<()> {
    run(Command::new("bash").arg(root().join("benches/compare/setup")), 15 * MINUTE)
}

fn debian_packages() -> Result<()> {
    let missing = missing_packages();
    if missing.is_empty() {
        println!("setup: Debian packages: all there");
        return Ok(());
    }
    if find("apt-get").is_none() {
        bail!("no apt-get here; install by hand what Debian calls {}", missing.join(", "));
    }
    let policy = Policy::forbid_services()?;
    quietly(as_root("apt-get").args(["-qq", "update"]))?;
    let mut install = as_root("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive").args([
        "-qq",
        "install",
        "-y",
        "--no-install-recommends",
    ]);
    quietly(install.args(&missing))?;
    drop(policy);
    println!("setup: Debian packages: installed {}; no service was started", missing.join(", "));
    Ok(())
}

fn missing_packages() -> Vec<&'static str> {
    let absent = PROGRAMS.iter().filter(|(program, _)| find(program).is_none());
    let mut missing: Vec<&str> = absent.map(|(_, package)| *package).collect();
    if capture(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_err() {
        missing.push("python3-venv");
    }
    missing
}

fn python_packages() -> Result<()> {
    let wanted = fs::read_to_string(root().join(REQUIREMENTS)).context(REQUIREMENTS)?;
    let venv = cache_folder()?.join("venv");
    let installed = venv.join("requirements.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) && venv.join("bin/python").exists() {
        println!("setup: Python packages: all there");
        return Ok(());
    }
    fs::create_dir_all(&venv)?;
    if !venv.join("bin/pip").exists() {
        quietly(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    let mut pip = Command::new(venv.join("bin/pip"));
    quietly(pip.args(["-q", "--disable-pip-version-check", "install", "-r"]).arg(root().join(REQUIREMENTS)))?;
    fs::write(&installed, wanted)?;
    println!("setup: Python packages: installed into {}", venv.display());
    Ok(())
}

/// A toolchain that rustup installed from rust-toolchain.toml has them; a distribution's may not.
fn rust_components() -> Result<()> {
    let missing: Vec<&str> =
        ["clippy", "fmt"].into_iter().filter(|component| !cargo_has(component)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    quietly(Command::new("rustup").args(["component", "add", "clippy", "rustfmt"]))
        .with_context(|| format!("cargo has no {}", missing.join(" and no ")))
}

/// The same folder that pn-testkit looks in.
fn cache_folder() -> Result<PathBuf> {
    let base = match (env::var_os("XDG_CACHE_HOME"), env::var_os("HOME")) {
        (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
        (_, Some(home)) => PathBuf::from(home).join(".cache"),
        _ => bail!("neither XDG_CACHE_HOME nor HOME is set"),
    };
    Ok(base.join("proxy-now"))
}

fn as_root(program: &str) -> Command {
    if rustix::process::getuid().is_root() {
        return Command::new(program);
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", program]);
    sudo
}

/// Output only when it fails.
fn quietly(command: &mut Command) -> Result<()> {
    capture(command.stderr(Stdio::piped())).map(|_| ())
}

/// While it lives, Debian starts no service.
struct Policy {
    ours: bool,
}

impl Policy {
    fn forbid_services() -> Result<Self> {
        if Path::new(POLICY).exists() {
            let refuses =
                as_root(POLICY).stdin(Stdio::null()).status().is_ok_and(|status| status.code() == Some(101));
            if !refuses {
                bail!("{POLICY} exists and lets services start; install the packages by hand");
            }
            return Ok(Self { ours: false });
        }
        let script = format!("printf '#!/bin/sh\\nexit 101\\n' >{POLICY} && chmod +x {POLICY}");
        quietly(as_root("sh").args(["-c", &script]))?;
        Ok(Self { ours: true })
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.ours && quietly(as_root("rm").args(["-f", POLICY])).is_err() {
            println!("setup: {POLICY} could not be removed; it keeps Debian from starting services");
        }
    }
}
