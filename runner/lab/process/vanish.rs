//! Connections that end without a word: the kernel sends nothing for a socket that is closed in repair mode. In: stopped processes. Out: their
//! TCP sockets, in repair mode, to be dropped when the processes are dead. Runs in a guard.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use socket2::{Protocol, Socket, Type};

use super::tree::Process;

/// Switches repair mode on.
const ON: libc::c_int = 1;

/// Takes the TCP sockets of processes that stand still, those included that wait to be accepted.
pub(super) fn take(processes: &[Process]) -> io::Result<Vec<Socket>> {
    let (mut seen, mut taken) = (BTreeSet::new(), Vec::new());
    for process in processes {
        let folder = format!("/proc/{}/fd", process.id);
        // One that has ended has no sockets any more.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let handle = handle_of(process.id)?;
        for entry in entries.filter_map(Result::ok) {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if !target.to_string_lossy().starts_with("socket:") || !seen.insert(target) {
                continue;
            }
            let socket = Socket::from(copy_of(&handle, number)?);
            if socket.r#type()? != Type::STREAM || socket.protocol()? != Some(Protocol::TCP) {
                continue;
            }
            if socket.is_listener()? {
                socket.set_nonblocking(true)?;
                while let Ok((waiting, _)) = socket.accept() {
                    taken.extend(silenced(waiting)?);
                }
            } else {
                taken.extend(silenced(socket)?);
            }
        }
    }
    Ok(taken)
}

/// A socket in repair mode; `None`: it is not connected, so nobody would hear of it.
fn silenced(socket: Socket) -> io::Result<Option<Socket>> {
    // SAFETY: the pointer and the length are those of a constant integer, which the kernel copies.
    let done = unsafe {
        let value: *const libc::c_int = &ON;
        libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_REPAIR, value.cast(), size_of::<libc::c_int>() as libc::socklen_t)
    };
    if done == 0 {
        return Ok(Some(socket));
    }
    let cause = io::Error::last_os_error();
    // Not in a state that can be repaired.
    if cause.raw_os_error() == Some(libc::EPERM) && socket.peer_addr().is_err() { Ok(None) } else { Err(cause) }
}

/// A descriptor of a process.
fn handle_of(process: i32) -> io::Result<OwnedFd> {
    // SAFETY: two integers go in, a new descriptor or an error comes out.
    let made = unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) };
    owned(made)
}

/// A copy of a descriptor of that process.
fn copy_of(process: &OwnedFd, number: i32) -> io::Result<OwnedFd> {
    // SAFETY: three integers go in, a new descriptor or an error comes out.
    let made = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) };
    owned(made)
}

fn owned(made: libc::c_long) -> io::Result<OwnedFd> {
    match i32::try_from(made) {
        // SAFETY: the kernel made the descriptor just now; nobody else knows it.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(io::Error::last_os_error()),
    }
}
