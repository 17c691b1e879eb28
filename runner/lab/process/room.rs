//! What the programs of a node see: its network, its host name, a `/run` and a `/tmp` of its own, the names of all nodes in `/etc/hosts`. In:
//! a network namespace and words. Out: a room that guards enter. Runs in the first process of a run, which has one thread.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use super::super::namespace;
use super::message::Numbers;

/// Where the folders of programs stand.
pub(super) const FOLDER: &str = "/run/scn";

/// The room of a node.
pub(super) struct Room {
    network: OwnedFd,
    mounts: OwnedFd,
    name: OwnedFd,
}

/// The first process's own surroundings, to come back to.
pub(super) struct Home(Room);

impl Home {
    /// Where the process stands now.
    pub(super) fn here() -> io::Result<Self> {
        let open = |what: &str| Ok::<OwnedFd, io::Error>(File::open(format!("/proc/self/ns/{what}"))?.into());
        Ok(Home(Room { network: open("net")?, mounts: open("mnt")?, name: open("uts")? }))
    }
}

impl Room {
    /// Moves the process into it.
    pub(super) fn enter(&self) -> io::Result<()> {
        namespace::enter_room(self.network.as_fd(), self.mounts.as_fd(), self.name.as_fd())
    }

    /// How this process has it open.
    pub(super) fn numbers(&self) -> Numbers {
        Numbers { network: self.network.as_raw_fd(), mounts: self.mounts.as_raw_fd(), name: self.name.as_raw_fd() }
    }

    /// Makes one. The process is at home again when it returns. Out: warnings too.
    pub(super) fn furnish(home: &Home, network: OwnedFd, name: &str, hosts: &str) -> io::Result<(Self, Vec<String>)> {
        namespace::enter_room(network.as_fd(), home.0.mounts.as_fd(), home.0.name.as_fd())?;
        let made = namespace::unshare_mounts_and_name().and_then(|()| fill(name, hosts));
        let open = |what: &str| Ok::<OwnedFd, io::Error>(File::open(format!("/proc/self/ns/{what}"))?.into());
        let room = made.and_then(|warnings| Ok((Room { network, mounts: open("mnt")?, name: open("uts")? }, warnings)));
        home.0.enter()?;
        room
    }
}

/// Mounts what a room holds.
fn fill(name: &str, hosts: &str) -> io::Result<Vec<String>> {
    let mut warnings = Vec::new();
    set_host_name(name)?;
    let tmpfs = |path: &str, options: &str| {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some(options)).map_err(|cause| at(&format!("mount {path}"), cause.into()))
    };
    tmpfs("/run", "mode=755")?;
    tmpfs("/tmp", "mode=1777")?;
    // What /sys tells of interfaces is of the namespace in which it was mounted.
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    if let Err(cause) = mount(Some("sysfs"), "/sys", Some("sysfs"), safe, None::<&str>) {
        warnings.push(format!("programs see the interfaces of the machine in /sys, not those of their node: {cause}"));
    }
    // Programs that lock a file look for this folder, which distributions make when they boot.
    for folder in [FOLDER, "/run/lock"] {
        fs::create_dir_all(folder).map_err(|cause| at(folder, cause))?;
    }
    fs::set_permissions("/run/lock", Permissions::from_mode(0o1777))?;
    let written = format!("{FOLDER}/.hosts");
    fs::write(&written, hosts).map_err(|cause| at(&written, cause))?;
    if Path::new("/etc/hosts").exists() {
        mount(Some(written.as_str()), "/etc/hosts", None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .map_err(|cause| at("put the nodes' names into /etc/hosts", cause.into()))?;
    } else {
        warnings.push("this machine has no /etc/hosts: programs do not know the nodes' names".to_owned());
    }
    Ok(warnings)
}

/// The kernel's host name of the room.
fn set_host_name(name: &str) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of one text, which the kernel copies.
    let done = unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) };
    if done == 0 { Ok(()) } else { Err(at("set its host name", io::Error::last_os_error())) }
}

fn at(doing: &str, cause: io::Error) -> io::Error {
    io::Error::new(cause.kind(), format!("{doing}: {cause}"))
}
