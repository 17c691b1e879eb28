//! Gets the process the privilege to make namespaces. In: nothing. Out: how it got it, or which setting forbids it and what to do.
//! Called before any thread starts. Makes no nodes.

use std::fs;
use std::io;

use super::error::LabError;
use super::namespace;

/// Bits of the capability masks in `/proc/self/status`.
const NET_ADMIN: u32 = 12;
const NET_RAW: u32 = 13;
const SYS_ADMIN: u32 = 21;

/// How the process may make namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// It is root, or has the capabilities.
    Root,
    /// It is root in a user namespace of its own.
    UserNamespace,
}

impl Privilege {
    /// In words, for the record.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Privilege::Root => "root",
            Privilege::UserNamespace => "ordinary user, in a user namespace of its own",
        }
    }
}

/// Gets the privilege to build labs: nothing to do for root; anyone else moves into a new user namespace where they are root.
/// Threads that exist already would stay outside, so it must be called before the first of them starts.
///
/// # Errors
/// Where user namespaces are forbidden: the setting that forbids them and what to do.
pub fn enter() -> Result<Privilege, LabError> {
    if privileged() {
        return Ok(current());
    }
    let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
    namespace::unshare_user_and_network().map_err(|cause| explain(&cause))?;
    // The kernel demands this order, and that groups cannot be changed afterwards.
    let maps = [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("0 {user} 1")),
        ("/proc/self/gid_map", format!("0 {group} 1")),
    ];
    for (path, text) in maps {
        fs::write(path, text).map_err(|cause| LabError::system("user namespace", format!("write {path}"), &cause))?;
    }
    Ok(Privilege::UserNamespace)
}

/// The process has what labs need: CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN.
pub(crate) fn privileged() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:")).and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    [NET_ADMIN, NET_RAW, SYS_ADMIN].iter().all(|bit| mask.unwrap_or(0) >> bit & 1 == 1)
}

/// How the process has its privilege now.
pub(crate) fn current() -> Privilege {
    // The first user namespace maps everybody to themselves.
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let whole = map.split_whitespace().eq(["0", "0", "4294967295"]);
    if whole { Privilege::Root } else { Privilege::UserNamespace }
}

/// Why a user namespace could not be made.
fn explain(cause: &io::Error) -> LabError {
    if cause.raw_os_error() == Some(libc::EINVAL) {
        return LabError::TooLate;
    }
    let setting = forbidding_setting();
    let (reason, advice) = match setting {
        Some((reason, advice)) => (format!("{reason} ({cause})"), advice.to_owned()),
        None => (
            format!(
                "unshare(CLONE_NEWUSER) failed: {cause}; no setting of the kernel forbids it, so a container's seccomp filter or LSM does"
            ),
            "Run as root, or start the container with a profile that allows unshare (docker: --security-opt seccomp=unconfined)".to_owned(),
        ),
    };
    LabError::Forbidden { reason, advice }
}

/// The setting of this machine that forbids user namespaces to ordinary users, and what to do.
pub(crate) fn forbidding_setting() -> Option<(String, &'static str)> {
    let is = |path: &str, value: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == value);
    let found = |name: &str, value: &str, advice: &'static str| Some((format!("{name} is {value}"), advice));
    if is("/proc/sys/user/max_user_namespaces", "0") {
        return found("user.max_user_namespaces", "0", "Run as root, or: sysctl -w user.max_user_namespaces=15000");
    }
    if is("/proc/sys/user/max_net_namespaces", "0") {
        return found("user.max_net_namespaces", "0", "Run: sysctl -w user.max_net_namespaces=15000");
    }
    if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        return found("kernel.unprivileged_userns_clone", "0", "Run as root, or: sysctl -w kernel.unprivileged_userns_clone=1");
    }
    if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        let advice =
            "Run as root, or: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or give scn an AppArmor profile that has `userns`";
        return found("kernel.apparmor_restrict_unprivileged_userns", "1", advice);
    }
    None
}
