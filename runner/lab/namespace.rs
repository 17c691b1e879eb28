//! Network namespaces without names, held by descriptors. In: nothing. Out: namespaces, and threads moved into them. The only file
//! that calls `unshare` or `setns`. Every thread that calls [`Namespace::create`] or [`Namespace::enter`] is one of the lab's own; the
//! functions for whole processes are for those of one thread.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sched::{CloneFlags, setns, unshare};

/// A network namespace. It lives as long as a descriptor, a socket or a thread in it.
#[derive(Debug)]
pub(crate) struct Namespace {
    descriptor: OwnedFd,
}

impl Namespace {
    /// Makes one and moves the calling thread into it.
    pub(crate) fn create() -> io::Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        // Not /proc/self: that is the main thread's.
        Ok(Namespace { descriptor: File::open("/proc/thread-self/ns/net")?.into() })
    }

    /// The one that the calling thread is in.
    pub(crate) fn current() -> io::Result<Self> {
        Ok(Namespace { descriptor: File::open("/proc/thread-self/ns/net")?.into() })
    }

    /// Another handle of the same.
    pub(crate) fn again(&self) -> io::Result<Self> {
        Ok(Namespace { descriptor: self.descriptor.try_clone()? })
    }

    /// Moves the calling thread into it.
    pub(crate) fn enter(&self) -> io::Result<()> {
        setns(self.descriptor.as_fd(), CloneFlags::CLONE_NEWNET)?;
        Ok(())
    }

    /// The descriptor, for netlink messages that name a namespace.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Moves the whole process, which has one thread only, into a new user namespace with a network namespace of its own.
pub(crate) fn unshare_user_and_network() -> io::Result<()> {
    Ok(unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?)
}

/// The namespaces of a run's first process, for `clone`. All are its own: an ordinary user can come back to no others.
pub(crate) const OF_A_RUN: libc::c_int = libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWUTS;

/// Gives the process, which has one thread only, mounts and a host name of its own, as they were.
pub(crate) fn unshare_mounts_and_name() -> io::Result<()> {
    Ok(unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS)?)
}

/// Moves the process, which has one thread only, into a user namespace of the same user, where it is root.
pub(crate) fn enter_user(user: BorrowedFd<'_>) -> io::Result<()> {
    Ok(setns(user, CloneFlags::CLONE_NEWUSER)?)
}

/// The children of the process will be among the processes of a run.
pub(crate) fn enter_processes(processes: BorrowedFd<'_>) -> io::Result<()> {
    Ok(setns(processes, CloneFlags::CLONE_NEWPID)?)
}

/// Moves the process, which has one thread only, to what the programs of a node see: a network, mounts and a host name.
pub(crate) fn enter_room(network: BorrowedFd<'_>, mounts: BorrowedFd<'_>, name: BorrowedFd<'_>) -> io::Result<()> {
    setns(network, CloneFlags::CLONE_NEWNET)?;
    setns(name, CloneFlags::CLONE_NEWUTS)?;
    Ok(setns(mounts, CloneFlags::CLONE_NEWNS)?)
}
