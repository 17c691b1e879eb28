//! The life of a run's first process: it furnishes rooms, starts guards, has names looked up, reaps what is left of them, and ends when
//! the runner does. In: the runner's requests. Out: answers. It has one thread, so it may fork and change namespaces at will.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use super::birth::NAME;
use super::guard;
use super::lookup;
use super::message::{FromKeeper, Start, ToKeeper, receive, send};
use super::room::{Home, Room};

/// Runs this process as the first one of a run, if that is what it was started for. To be called first thing in `main` by every program
/// that runs scenarios with programs under test.
#[must_use]
pub fn keep() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    if arguments.next()? != NAME {
        return None;
    }
    let socket: i32 = arguments.next()?.to_str()?.parse().ok()?;
    // SAFETY: whoever starts a process under this name leaves this descriptor open for it alone; a wrong number fails at first use.
    let socket = UnixStream::from(unsafe { OwnedFd::from_raw_fd(socket) });
    Some(match serve(&socket) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

/// Answers until the runner is gone.
fn serve(socket: &UnixStream) -> io::Result<()> {
    let begun = begin(socket);
    let home = match &begun {
        Ok(home) => home,
        Err(cause) => return send(socket, &FromKeeper::Refused(cause.to_string()), &[]),
    };
    let signals = children()?;
    let mut rooms = BTreeMap::new();
    send(socket, &FromKeeper::Done(Vec::new()), &[])?;
    loop {
        wait_for(&[socket.as_fd(), signals.as_fd()], None)?;
        while signals.read_signal()?.is_some() {}
        while matches!(waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive) {}
        if !is_readable(socket)? {
            continue;
        }
        let Some((message, descriptors)) = receive(socket)? else { return Ok(()) };
        let answer = match message {
            ToKeeper::Room { node, name, hosts } => make_room(home, &mut rooms, node, &name, &hosts, descriptors),
            ToKeeper::Start(start) => start_guard(socket, &rooms, &start, descriptors),
            ToKeeper::LookUp { node, name, limit_s } => look_up(socket, &rooms, (node, &name), limit_s, descriptors),
        };
        send(socket, &answer.unwrap_or_else(FromKeeper::Refused), &[])?;
    }
}

/// Cuts the ties to the runner's surroundings: its death, its terminal, its descriptors, its mounts, its processes.
fn begin(socket: &UnixStream) -> io::Result<Home> {
    // A program with capabilities of its own loses what the runner had asked for when it was executed.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    let _ = nix::unistd::setsid();
    close_others(socket.as_raw_fd())?;
    let say = |what: &str, cause: nix::Error| io::Error::other(format!("{what}: {cause}"));
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).map_err(|cause| say("make its mounts private", cause))?;
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), safe, None::<&str>).map_err(|cause| {
        say("mount /proc for the run's processes (in a container: one whose /proc is not masked, docker: --security-opt systempaths=unconfined)", cause)
    })?;
    Home::here()
}

/// Descriptors that somebody left open for the runner are nothing to programs.
fn close_others(own: i32) -> io::Result<()> {
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")?.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok()).collect();
    for descriptor in open.into_iter().filter(|fd| *fd > 2 && *fd != own) {
        // SAFETY: the process began a moment ago and has opened nothing itself but the folder that was read, which is closed again.
        unsafe { libc::close(descriptor) };
    }
    Ok(())
}

/// Tells when a child ends.
pub(super) fn children() -> io::Result<SignalFd> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None)?;
    Ok(SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

/// Waits until one of them can be read, or a time has passed.
pub(super) fn wait_for(descriptors: &[std::os::fd::BorrowedFd<'_>], limit: Option<std::time::Duration>) -> io::Result<()> {
    let mut watched: Vec<PollFd<'_>> = descriptors.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    let limit = limit.map_or(PollTimeout::NONE, |limit| PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX));
    match poll(&mut watched, limit) {
        Ok(_) | Err(nix::Error::EINTR) => Ok(()),
        Err(cause) => Err(cause.into()),
    }
}

/// Something has come, or the other end is closed.
pub(super) fn is_readable(socket: &UnixStream) -> io::Result<bool> {
    let mut watched = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    Ok(poll(&mut watched, PollTimeout::ZERO)? > 0)
}

fn make_room(
    home: &Home,
    rooms: &mut BTreeMap<usize, Room>,
    node: usize,
    name: &str,
    hosts: &str,
    descriptors: Vec<OwnedFd>,
) -> Result<FromKeeper, String> {
    let network = descriptors.into_iter().next().ok_or("a room came without its network")?;
    let (room, warnings) = Room::furnish(home, network, name, hosts).map_err(|cause| format!("its programs' surroundings: {cause}"))?;
    let numbers = room.numbers();
    rooms.insert(node, room);
    Ok(FromKeeper::Furnished(warnings, numbers))
}

/// Forks a guard for a program.
fn start_guard(socket: &UnixStream, rooms: &BTreeMap<usize, Room>, start: &Start, descriptors: Vec<OwnedFd>) -> Result<FromKeeper, String> {
    let room = rooms.get(&start.node).ok_or("the node has no room for programs (a bug in scn)")?;
    let [output, errors, control] = <[OwnedFd; 3]>::try_from(descriptors).map_err(|_| "a program came without its output")?;
    apart(socket, || guard::serve(&UnixStream::from(control), room, start, output, errors))
}

/// Forks a process that looks a name up.
fn look_up(
    socket: &UnixStream,
    rooms: &BTreeMap<usize, Room>,
    (node, name): (Option<usize>, &str),
    limit_s: u32,
    descriptors: Vec<OwnedFd>,
) -> Result<FromKeeper, String> {
    let room = node.map(|node| rooms.get(&node).ok_or("the node has no room for programs (a bug in scn)")).transpose()?;
    let answer = descriptors.into_iter().next().ok_or("a name came without a socket for the answer")?;
    apart(socket, || lookup::serve(&UnixStream::from(answer), room, name, limit_s))
}

/// Does something in a process of its own, which ends with it.
fn apart(socket: &UnixStream, work: impl FnOnce() -> io::Result<()>) -> Result<FromKeeper, String> {
    // SAFETY: this process has one thread, so the child may do whatever it likes.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { .. }) => Ok(FromKeeper::Done(Vec::new())),
        Ok(ForkResult::Child) => {
            // SAFETY: the child never uses the runner's socket; while it held it, the runner would not see the keeper's end.
            unsafe { libc::close(socket.as_raw_fd()) };
            let ended = work();
            // SAFETY: it ends at once, without the clean-up of a process that it is only a copy of.
            unsafe { libc::_exit(i32::from(ended.is_err())) }
        }
        Err(cause) => Err(format!("fork: {cause}")),
    }
}
