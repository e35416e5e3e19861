//! Installing the root certificate into the system's trust store, and removing it. First a plan that can be shown,
//! then its execution. Browsers with stores of their own (NSS) are not covered.

use crate::error::AcmeError;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Install,
    Uninstall,
}

/// What will be done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// How the store is called.
    pub store: &'static str,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Write { path: PathBuf, content: String },
    Remove { path: PathBuf },
    Run { program: PathBuf, arguments: Vec<String> },
}

/// A kind of system, known by its tool.
struct Kind {
    name: &'static str,
    tool: &'static str,
    /// Where certificates are put. `None`: the tool takes the file itself.
    anchors: Option<&'static str>,
    install: &'static [&'static str],
    uninstall: &'static [&'static str],
}

/// SUSE's tool has Debian's name, so the directory tells them apart, and it goes first.
const KINDS: [Kind; 4] = [
    Kind {
        name: "SUSE's ca-certificates",
        tool: "usr/sbin/update-ca-certificates",
        anchors: Some("etc/pki/trust/anchors"),
        install: &[],
        uninstall: &[],
    },
    Kind {
        name: "Debian's ca-certificates",
        tool: "usr/sbin/update-ca-certificates",
        anchors: Some("usr/local/share/ca-certificates"),
        install: &[],
        uninstall: &["--fresh"],
    },
    Kind {
        name: "Fedora's ca-trust",
        tool: "usr/bin/update-ca-trust",
        anchors: Some("etc/pki/ca-trust/source/anchors"),
        install: &["extract"],
        uninstall: &["extract"],
    },
    Kind {
        name: "p11-kit",
        tool: "usr/bin/trust",
        anchors: None,
        install: &["anchor", "--store"],
        uninstall: &["anchor", "--remove"],
    },
];

/// What to do on this system. `root_path` is the file of the root certificate, `root_pem` its content; `system` is `/`
/// but for tests.
pub fn plan(action: Action, root_path: &Path, root_pem: &str, system: &Path) -> Result<Plan, AcmeError> {
    let fits = |kind: &&Kind| {
        let suse = kind.name.starts_with("SUSE");
        system.join(kind.tool).exists()
            && (!suse || kind.anchors.is_some_and(|dir| system.join(dir).is_dir()))
    };
    let Some(kind) = KINDS.iter().find(fits) else {
        return Err(AcmeError::Trust(format!(
            "this system has neither update-ca-certificates, update-ca-trust nor trust (p11-kit); install the package `ca-certificates`, or trust `{}` by hand",
            root_path.display()
        )));
    };
    let program = system.join(kind.tool);
    let words = if action == Action::Install { kind.install } else { kind.uninstall };
    let mut arguments: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let mut steps = Vec::new();
    match kind.anchors {
        Some(dir) => {
            let path = system.join(dir).join(anchor_name(root_pem));
            steps.push(match action {
                Action::Install => Step::Write { path, content: root_pem.to_owned() },
                Action::Uninstall => Step::Remove { path },
            });
        }
        None => arguments.push(root_path.display().to_string()),
    }
    steps.push(Step::Run { program, arguments });
    Ok(Plan { store: kind.name, steps })
}

/// Each root has its own file, so that one installation's root does not replace another's.
fn anchor_name(root_pem: &str) -> String {
    let digest = Sha256::digest(root_pem.trim());
    let hash: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("proxy-now-internal-ca-{hash}.crt")
}

/// Does what was planned. Where the tool fails, a file that was written for it is taken away again.
pub fn execute(plan: &Plan) -> Result<(), AcmeError> {
    let mut written = Vec::new();
    for step in &plan.steps {
        if let Err(error) = take(step, &mut written) {
            for path in &written {
                // The first error is the one to tell.
                std::fs::remove_file(path).unwrap_or_default();
            }
            return Err(error);
        }
    }
    Ok(())
}

fn take(step: &Step, written: &mut Vec<PathBuf>) -> Result<(), AcmeError> {
    match step {
        Step::Write { path, content } => {
            let existed = path.exists();
            path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(|error| refused(path, error))?;
            std::fs::write(path, content).map_err(|error| refused(path, error))?;
            if !existed {
                written.push(path.clone());
            }
            Ok(())
        }
        Step::Remove { path } => match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(refused(path, error)),
            _ => Ok(()),
        },
        Step::Run { program, arguments } => run(program, arguments),
    }
}

fn run(program: &Path, arguments: &[String]) -> Result<(), AcmeError> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| AcmeError::Trust(format!("`{}`: {error}", program.display())))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let last = words.lines().last().unwrap_or("it gave no reason");
    Err(AcmeError::Trust(format!("`{}` failed ({}): {last}", program.display(), output.status)))
}

fn refused(path: &Path, error: std::io::Error) -> AcmeError {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => AcmeError::NeedsRoot(path.to_owned()),
        _ => crate::files::storage(path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A system that has these tools; each notes its arguments in a file `ran`.
    fn system(tools: &[&str], directories: &[&str], exit: u8) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for directory in directories {
            std::fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        for tool in tools {
            let path = root.path().join(tool);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let note = root.path().join("ran");
            let script =
                format!("#!/bin/sh\necho \"$@\" >> {}\necho no luck >&2\nexit {exit}\n", note.display());
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        root
    }

    fn plan_on(system: &tempfile::TempDir, action: Action) -> Result<Plan, AcmeError> {
        plan(action, Path::new("/state/root.crt"), "PEM\n", system.path())
    }

    fn anchors(system: &tempfile::TempDir, directory: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(system.path().join(directory)) else { return Vec::new() };
        entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }

    #[test]
    fn installed_and_removed() {
        for (store, tools, directories, anchor_dir, ran) in [
            (
                "Debian's ca-certificates",
                &["usr/sbin/update-ca-certificates", "usr/bin/trust"][..],
                &[][..],
                "usr/local/share/ca-certificates",
                "\n--fresh\n",
            ),
            (
                "SUSE's ca-certificates",
                &["usr/sbin/update-ca-certificates"],
                &["etc/pki/trust/anchors"],
                "etc/pki/trust/anchors",
                "\n\n",
            ),
            (
                "Fedora's ca-trust",
                &["usr/bin/update-ca-trust", "usr/bin/trust"],
                &[],
                "etc/pki/ca-trust/source/anchors",
                "extract\nextract\n",
            ),
            (
                "p11-kit",
                &["usr/bin/trust"],
                &[],
                "nowhere",
                "anchor --store /state/root.crt\nanchor --remove /state/root.crt\n",
            ),
        ] {
            let system = system(tools, directories, 0);
            let install = plan_on(&system, Action::Install).unwrap();
            assert_eq!(install.store, store);
            execute(&install).unwrap();
            let installed = if store == "p11-kit" { vec![] } else { vec!["PEM\n".to_owned()] };
            assert_eq!(anchors(&system, anchor_dir), installed, "{store}");
            execute(&plan_on(&system, Action::Uninstall).unwrap()).unwrap();
            assert_eq!(anchors(&system, anchor_dir), Vec::<String>::new(), "{store}");
            assert_eq!(std::fs::read_to_string(system.path().join("ran")).unwrap(), ran, "{store}");
        }
    }

    #[test]
    fn a_tool_that_fails_leaves_nothing() {
        let system = system(&["usr/sbin/update-ca-certificates"], &[], 3);
        let error = execute(&plan_on(&system, Action::Install).unwrap()).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("no luck"), "{error}");
        assert_eq!(anchors(&system, "usr/local/share/ca-certificates"), Vec::<String>::new());
    }

    #[test]
    fn a_system_without_tools() {
        let error = plan_on(&system(&[], &[], 0), Action::Install).unwrap_err().to_string();
        assert!(error.contains("ca-certificates") && error.contains("/state/root.crt"), "{error}");
    }

    #[test]
    fn who_may_not_is_told_to_be_root() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = refused(Path::new("/usr/local/share/x.crt"), denied).to_string();
        assert!(error.contains("/usr/local/share/x.crt") && error.contains("sudo"), "{error}");
    }
}
