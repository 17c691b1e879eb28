//! Enters a node of a lab that another process holds, and runs a command there. In: the run, the node, the command. Out: its status. The
//! calling process must have one thread; it is among the node's own when this returns, and good for nothing else.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use nix::fcntl::{OFlag, openat};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::stat::Mode;

use super::super::namespace;
use super::super::process::{find, search_path};
use super::HeldError;
use super::choose::choose;
use super::note::{Note, Noted, living, started};

/// The shell of those who say none.
const SHELL: &str = "/bin/sh";

/// The namespaces of a node.
struct House {
    /// `None`: they belong to the user namespace that this process is in.
    user: Option<OwnedFd>,
    processes: OwnedFd,
    network: OwnedFd,
    mounts: OwnedFd,
    name: OwnedFd,
}

/// Runs a command in a node of a lab that is held, or the user's shell, on this process's own terminal or files. Out: its status, of a signal
/// 128 and its number. The command ends with the lab, or when this process does.
///
/// # Errors
/// What is not held or not there, with what is; what the kernel refused.
pub fn enter(run: Option<&str>, node: &str, command: Option<&[OsString]>) -> Result<u8, HeldError> {
    let notes = living();
    let (note, noted) = choose(&notes, run, node)?;
    let refused =
        |doing: &'static str| move |cause: io::Error| HeldError::Kernel { run: note.run.clone(), node: noted.name.clone(), doing, cause };
    let house = open(note, noted).map_err(|cause| match cause.raw_os_error() {
        // It ended while it was looked at.
        Some(libc::ENOENT | libc::ESRCH) => HeldError::Over { run: note.run.clone() },
        _ => refused("open its namespaces")(cause),
    })?;
    let here = std::env::current_dir().ok();
    house.enter().map_err(refused("enter its namespaces"))?;
    if let Some(here) = here {
        // What stands in /tmp and /run is not there; then it begins at the root, where the kernel has put it.
        let _ = std::env::set_current_dir(here);
    }
    let (program, arguments) = match command.and_then(<[OsString]>::split_first) {
        Some((program, arguments)) => (program.clone(), arguments),
        None => (shell().into_os_string(), [].as_slice()),
    };
    let status = carry_out(&program, arguments).map_err(|cause| HeldError::Program {
        program: program.to_string_lossy().into_owned(),
        node: noted.name.clone(),
        cause,
    })?;
    let status = status.code().or_else(|| status.signal().map(|number| 128 + number));
    Ok(status.and_then(|status| u8::try_from(status).ok()).unwrap_or(u8::MAX))
}

/// Opens the namespaces of a node by way of the process that keeps them, and of no other that has got its number meanwhile.
fn open(note: &Note, noted: &Noted) -> io::Result<House> {
    let keeper = File::open(format!("/proc/{}", note.keeper.id))?;
    // What is opened beneath this folder is that of one process; once it is over, nothing is.
    let at = |path: &str| Ok::<OwnedFd, io::Error>(openat(&keeper, path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?);
    let mut stat = String::new();
    File::from(at("stat")?).read_to_string(&mut stat)?;
    if started(&stat)? != note.keeper.started {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    let numbered = |number: i32| at(&format!("fd/{number}"));
    let user = File::from(at("ns/user")?);
    let own = fs::metadata("/proc/self/ns/user")?;
    let theirs = user.metadata()?;
    let is_ours = (own.dev(), own.ino()) == (theirs.dev(), theirs.ino());
    Ok(House {
        user: (!is_ours).then(|| user.into()),
        processes: at("ns/pid")?,
        network: numbered(noted.numbers.network)?,
        mounts: numbered(noted.numbers.mounts)?,
        name: numbered(noted.numbers.name)?,
    })
}

impl House {
    fn enter(&self) -> io::Result<()> {
        // The user first: it has the right to the others.
        if let Some(user) = &self.user {
            namespace::enter_user(user.as_fd())?;
        }
        namespace::enter_processes(self.processes.as_fd())?;
        namespace::enter_room(self.network.as_fd(), self.mounts.as_fd(), self.name.as_fd())
    }
}

/// Starts a command and waits for its end.
fn carry_out(program: &OsStr, arguments: &[OsString]) -> io::Result<ExitStatus> {
    let found = match program.to_str() {
        // As the node sees the search path, and whoever may run what stands there.
        Some(name) if !name.contains('/') => find(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?,
        _ => PathBuf::from(program),
    };
    let mut command = Command::new(found);
    command.arg0(program).args(arguments).env("PATH", search_path());
    let bound = || Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?);
    // SAFETY: the process has one thread, and the closure makes one system call.
    unsafe { command.pre_exec(bound) };
    let mut child = command.spawn()?;
    for key in [Signal::SIGINT, Signal::SIGQUIT] {
        // SAFETY: no handler of this process is put in; what the keys of a terminal say is for the command.
        unsafe { signal(key, SigHandler::SigIgn) }?;
    }
    child.wait()
}

/// The user's shell, if the node has it and it is one.
fn shell() -> PathBuf {
    let own = std::env::var_os("SHELL").map(PathBuf::from).filter(|shell| shell.is_absolute() && shell.is_file());
    let idle = |shell: &Path| shell.ends_with("nologin") || shell.ends_with("false");
    own.filter(|shell| !idle(shell)).unwrap_or_else(|| PathBuf::from(SHELL))
}
