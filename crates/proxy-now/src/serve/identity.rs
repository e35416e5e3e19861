//! Becoming another user at the start. Kept of root's rights is only the one to bind ports below 1024, which later
//! reloads may need. With systemd this is not needed: `User=` and `AmbientCapabilities=CAP_NET_BIND_SERVICE` give the
//! same from the outside, and nothing here takes it away.

use anyhow::{Context, Result, bail};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Must be called before there is a second thread: the kernel changes the calling thread alone, and later threads are
/// like the one that started them.
pub(super) fn become_user(name: &str) -> Result<()> {
    let passwd = std::fs::read_to_string("/etc/passwd").context("/etc/passwd cannot be read")?;
    let group = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let user = find(name, &passwd, &group).with_context(|| format!("there is no user `{name}`"))?;
    if !rustix::process::geteuid().is_root() {
        bail!("only root can become another user");
    }
    give_state(&user);
    rustix::thread::set_keep_capabilities(true)?;
    rustix::thread::set_thread_groups(&user.groups)?;
    rustix::thread::set_thread_res_gid(user.gid, user.gid, user.gid)?;
    rustix::thread::set_thread_res_uid(user.uid, user.uid, user.uid)?;
    let kept = CapabilitySet::NET_BIND_SERVICE;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets)?;
    rustix::thread::set_keep_capabilities(false)?;
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// Only root can make the system's state directory. One that is there already stays whose it is, and what cannot be
/// made is found missing when it is needed.
fn give_state(user: &User) {
    if let Ok(path) = crate::inputs::state_dir(None, true) {
        make_for(&path, user).unwrap_or_default();
    }
}

fn make_for(path: &Path, user: &User) -> std::io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(path)?;
    let own = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = rustix::fs::open(path, OFlags::RDONLY | own, Mode::empty())?;
    Ok(rustix::fs::fchown(made, Some(user.uid), Some(user.gid))?)
}

#[derive(Debug, PartialEq, Eq)]
struct User {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

/// By name or number, in the files alone: a proxy does not depend on a directory server to start.
fn find(name: &str, passwd: &str, group: &str) -> Option<User> {
    let entry = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&name) || fields.get(2) == Some(&name))?;
    let (own, uid, gid) = (*entry.first()?, number(entry.get(2)?)?, number(entry.get(3)?)?);
    let belongs = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let member = fields.get(3)?.split(',').any(|member| member == own);
        if member { number(fields.get(2)?).map(Gid::from_raw) } else { None }
    };
    let groups = std::iter::once(Gid::from_raw(gid)).chain(group.lines().filter_map(belongs)).collect();
    Some(User { uid: Uid::from_raw(uid), gid: Gid::from_raw(gid), groups })
}

/// The last number means `nobody was named` to the kernel.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_for_a_user_and_one_that_is_there_stays() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
        // Only root can give things away.
        let uid = if uid.is_root() { Uid::from_raw(12_345) } else { uid };
        let user = User { uid, gid, groups: Vec::new() };
        let path = dir.path().join("state");
        make_for(&path, &user).unwrap();
        let made = std::fs::metadata(&path).unwrap();
        assert_eq!((made.mode() & 0o777, made.uid()), (0o700, uid.as_raw()));
        let other = dir.path().join("other");
        std::fs::create_dir(&other).unwrap();
        make_for(&other, &user).unwrap_err();
        assert_eq!(std::fs::metadata(&other).unwrap().uid(), rustix::process::getuid().as_raw());
    }

    #[test]
    fn users() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/:/bin/false\nbad:x:4294967295:1::/:\n";
        let group = "root:x:0:\nwww:x:34:\nssl:x:120:amy,web\n";
        let web = || User {
            uid: Uid::from_raw(33),
            gid: Gid::from_raw(34),
            groups: vec![Gid::from_raw(34), Gid::from_raw(120)],
        };
        for (name, expected) in
            [("web", Some(web())), ("33", Some(web())), ("nobody", None), ("", None), ("bad", None)]
        {
            assert_eq!(find(name, passwd, group), expected, "{name}");
        }
    }
}
