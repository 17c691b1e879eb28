//! The first process of a run: born in a PID and a mount namespace of its own, from the program's own file. It dies with the thread that
//! calls [`Keeper::born`], and the kernel ends all that runs in its namespace with it, what went to the background too. In: rooms
//! and programs to make. Out: what came of it.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::super::namespace;
use super::message::{FromKeeper, Numbers, Start, ToKeeper, receive, send};

/// Its name among processes.
pub(super) const NAME: &str = "scn-keeper";
/// It answers within this time, or something is wrong with it.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The runner's handle.
pub(super) struct Keeper {
    /// `None`: it was let go.
    socket: Option<UnixStream>,
    process: Pid,
}

/// A guard that starts a program, seen from the runner.
pub(super) struct Guard {
    /// Its socket.
    pub(super) socket: UnixStream,
    /// The program's output.
    pub(super) output: OwnedFd,
    /// Its error output.
    pub(super) errors: OwnedFd,
}

impl Keeper {
    /// Starts it. The calling thread must live as long as what it keeps.
    pub(super) fn born() -> io::Result<Self> {
        let (near, far) = UnixStream::pair()?;
        let text = |text: String| CString::new(text).map_err(io::Error::other);
        let arguments = [text(NAME.to_owned())?, text(far.as_raw_fd().to_string())?];
        let environment: Vec<CString> = std::env::vars_os().filter_map(variable).collect();
        let pointers = |texts: &[CString]| -> Vec<*const libc::c_char> {
            texts.iter().map(|text| text.as_ptr()).chain(std::iter::once(std::ptr::null())).collect()
        };
        let (arguments, environment) = (pointers(&arguments), pointers(&environment));
        // SAFETY: no stack and no thread ids are given, so this is a fork. The child has a copy of all memory and calls nothing but
        // system calls until it is another program; its pointers point into that copy.
        let process = unsafe {
            let process = libc::syscall(libc::SYS_clone, namespace::OF_A_RUN | libc::SIGCHLD, 0, 0, 0, 0);
            if process == 0 {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::fcntl(far.as_raw_fd(), libc::F_SETFD, 0);
                libc::execve(c"/proc/self/exe".as_ptr(), arguments.as_ptr(), environment.as_ptr());
                libc::_exit(127);
            }
            process
        };
        if process < 0 {
            return Err(io::Error::last_os_error());
        }
        drop(far);
        near.set_read_timeout(Some(ANSWER_LIMIT))?;
        let process = i32::try_from(process).map_err(io::Error::other)?;
        let mut keeper = Keeper { socket: Some(near), process: Pid::from_raw(process) };
        keeper.answer().map_err(io::Error::other)?;
        Ok(keeper)
    }

    /// Its number among this machine's processes.
    pub(super) fn process(&self) -> i32 {
        self.process.as_raw()
    }

    /// Furnishes a room for a node. Out: warnings, and where it is.
    pub(super) fn room(&mut self, node: usize, name: &str, hosts: &str, network: BorrowedFd<'_>) -> Result<(Vec<String>, Numbers), String> {
        match self.ask(&ToKeeper::Room { node, name: name.to_owned(), hosts: hosts.to_owned() }, &[network])? {
            FromKeeper::Furnished(warnings, numbers) => Ok((warnings, numbers)),
            _ => Err("the first process of the run does not say where it is (a bug in scn)".to_owned()),
        }
    }

    /// Starts a guard; what becomes of the program the guard tells.
    pub(super) fn start(&mut self, start: Start) -> Result<Guard, String> {
        let words = |cause: io::Error| cause.to_string();
        let (near, far) = UnixStream::pair().map_err(words)?;
        let (output, to_output) = io::pipe().map_err(words)?;
        let (errors, to_errors) = io::pipe().map_err(words)?;
        self.ask(&ToKeeper::Start(start), &[to_output.as_fd(), to_errors.as_fd(), far.as_fd()])?;
        Ok(Guard { socket: near, output: output.into(), errors: errors.into() })
    }

    /// Has a name looked up, in a node or where the first process itself stands; the answer comes over the socket.
    pub(super) fn look_up(&mut self, node: Option<usize>, name: &str, limit_s: u32) -> Result<UnixStream, String> {
        let (near, far) = UnixStream::pair().map_err(|cause| cause.to_string())?;
        self.ask(&ToKeeper::LookUp { node, name: name.to_owned(), limit_s }, &[far.as_fd()])?;
        Ok(near)
    }

    fn ask(&mut self, message: &ToKeeper, descriptors: &[BorrowedFd<'_>]) -> Result<FromKeeper, String> {
        let socket = self.socket.as_ref().ok_or("the first process of the run was let go")?;
        send(socket, message, descriptors).map_err(|cause| format!("the first process of the run does not listen: {cause}"))?;
        self.answer()
    }

    fn answer(&mut self) -> Result<FromKeeper, String> {
        let socket = self.socket.as_ref().ok_or("the first process of the run was let go")?;
        match receive(socket) {
            Ok(Some((FromKeeper::Refused(why), _))) => Err(why),
            Ok(Some((answer, _))) => Ok(answer),
            Ok(None) => Err("the first process of the run ended".to_owned()),
            Err(cause) => Err(format!("the first process of the run does not answer: {cause}")),
        }
    }

    /// Ends it and all that runs in its namespace; returns when nothing is left.
    pub(super) fn let_go(&mut self) -> Result<(), String> {
        if self.socket.take().is_none() {
            return Ok(());
        }
        // It ends when its socket closes; should it be stuck, it ends by this. The namespace is empty when it can be waited for.
        let _ = nix::sys::signal::kill(self.process, nix::sys::signal::Signal::SIGKILL);
        waitpid(self.process, None).map(drop).map_err(|cause| format!("the first process of the run could not be waited for: {cause}"))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.let_go();
    }
}

/// `NAME=value`; what holds a zero byte is no variable.
fn variable((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Option<CString> {
    let mut text = name.into_vec();
    text.push(b'=');
    text.extend(value.into_vec());
    CString::new(text).ok()
}
