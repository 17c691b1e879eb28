//! What the runner says to the first process of a run and to the guards of programs, and what they answer. In: messages and descriptors.
//! Out: the same at the socket's other end. Each message is its length and then JSON; descriptors travel with the length.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A longer message is none of ours.
pub(super) const MAX_BYTES: usize = 256 << 20;
/// No message brings more descriptors.
const MAX_DESCRIPTORS: usize = 4;
/// Bytes of a message's length.
pub(super) const HEAD: usize = 4;

/// To the first process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToKeeper {
    /// Furnishes what the programs of a node see. With it comes the node's network namespace.
    Room {
        /// The node's number.
        node: usize,
        /// Its host name.
        name: String,
        /// What stands in its `/etc/hosts`.
        hosts: String,
    },
    /// Starts a guard that starts a program. With it come the program's output, its error output, and the guard's socket.
    Start(Start),
    /// Has a name looked up. With it comes the socket for the answer.
    LookUp {
        /// The node's number; it has a room. `None`: where the first process itself stands, on this machine.
        node: Option<usize>,
        /// The name.
        name: String,
        /// Nobody waits for longer, s.
        limit_s: u32,
    },
}

/// A program to start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Start {
    /// The node's number; it has a room.
    pub(super) node: usize,
    /// For `sh -c`.
    pub(super) command: String,
    /// Where it runs; made if it is not there.
    pub(super) folder: String,
    /// Paths under the folder, and what is written there first.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// The whole environment.
    pub(super) env: Vec<(String, String)>,
}

/// The numbers by which the first process has a room open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Numbers {
    /// Its network.
    pub(crate) network: i32,
    /// Its mounts.
    pub(crate) mounts: i32,
    /// Its host name.
    pub(crate) name: i32,
}

/// From the first process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromKeeper {
    /// Done, with what a reader should know.
    Done(Vec<String>),
    /// A room is furnished, with what a reader should know, and where it is.
    Furnished(Vec<String>, Numbers),
    /// Not done, and why.
    Refused(String),
}

/// To a guard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ToGuard {
    /// Sends a signal, by its number: to the program itself, or to all of it where a shell stands for it or it went to the background.
    Signal {
        /// Its number.
        number: i32,
        /// All is to end by it. Otherwise a shell that waits for the program is spared what it would die of.
        stop: bool,
    },
    /// Ends all processes of the program at once. Answered by [`FromGuard::Gone`].
    Kill {
        /// Peers of its TCP connections hear nothing of it.
        silently: bool,
    },
    /// Stops all its processes where they are.
    Freeze,
    /// Lets them go on.
    Thaw,
    /// What it uses.
    Usage,
    /// Whether a UDP port of the node is bound.
    Bound(std::net::IpAddr, u16),
    /// Whether something of the node listens on a TCP port.
    Listening(u16),
}

/// From a guard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum FromGuard {
    /// The program runs.
    Started,
    /// It could not be started; the guard is gone.
    NotStarted(String),
    /// A signal, a freeze or a thaw has reached so many processes.
    Reached(usize),
    /// It did not succeed.
    Refused(String),
    /// The addresses of a name, in the resolver's order.
    Found(Vec<std::net::IpAddr>),
    /// Processor time so far, ns, and resident memory now, bytes.
    Usage(u64, u64),
    /// Whether the port is bound.
    Bound(bool),
    /// The command ended with this status (128 and the number of a signal); others of its processes may live.
    Exited(i32),
    /// No process of it lives any more; the guard is gone too.
    Gone {
        /// The status of the process that was reaped last.
        last: i32,
        /// Processor time of all, ns.
        cpu_ns: u64,
        /// The largest of its processes at its largest, bytes.
        peak: u64,
    },
}

/// Sends a message with descriptors.
pub(super) fn send(socket: &UnixStream, message: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let head = u32::try_from(body.len()).map_err(|_| io::Error::other("a message is too long"))?.to_le_bytes();
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let control = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &control[..0] } else { &control[..] };
    let sent = sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&head)], control, MsgFlags::MSG_NOSIGNAL, None)?;
    let mut socket = socket;
    socket.write_all(&head[sent..])?;
    socket.write_all(&body)
}

/// Receives a message with its descriptors; `None`: the other end is closed.
pub(super) fn receive<T: DeserializeOwned>(socket: &UnixStream) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut head = [0u8; HEAD];
    let mut descriptors = Vec::new();
    let got = {
        let mut space = nix::cmsg_space!([RawFd; MAX_DESCRIPTORS]);
        let mut parts = [IoSliceMut::new(&mut head)];
        let received = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
        for control in received.cmsgs()? {
            if let ControlMessageOwned::ScmRights(raw) = control {
                // SAFETY: the kernel made these descriptors for this message just now; nobody else knows them.
                descriptors.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            }
        }
        received.bytes
    };
    if got == 0 {
        return Ok(None);
    }
    let mut socket = socket;
    socket.read_exact(&mut head[got..])?;
    let length = u32::from_le_bytes(head) as usize;
    if length > MAX_BYTES {
        return Err(io::Error::other("a message is too long"));
    }
    let mut body = vec![0u8; length];
    socket.read_exact(&mut body)?;
    Ok(Some((serde_json::from_slice(&body)?, descriptors)))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn messages_come_whole_with_their_descriptors() {
        let (near, far) = UnixStream::pair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let start = Start {
            node: 3,
            command: "true".to_owned(),
            folder: "/run/scn/lb".to_owned(),
            // More than a socket holds at once.
            files: vec![("a".to_owned(), vec![7; 1 << 20])],
            env: vec![],
        };
        let sender = std::thread::spawn(move || {
            send(&near, &ToKeeper::Start(start), &[writer.as_fd()]).unwrap();
        });
        let (message, descriptors) = receive::<ToKeeper>(&far).unwrap().unwrap();
        sender.join().unwrap();
        assert!(matches!(message, ToKeeper::Start(Start { node: 3, ref files, .. }) if files[0].1.len() == 1 << 20));
        assert_eq!(descriptors.len(), 1);
        std::fs::File::from(descriptors.into_iter().next().unwrap()).write_all(b"x").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
        assert!(receive::<ToKeeper>(&far).unwrap().is_none(), "the other end is closed");
    }
}
