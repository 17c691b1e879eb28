//! The guard of one program: the process that starts it and to which all that it leaves in the background falls. In: orders from the runner.
//! Out: what became of them, and the program's end. It has one thread and lives as long as any process of the program.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::unistd::Pid;
use socket2::Socket;

use super::keeper::{children, is_readable, wait_for};
use super::message::{FromGuard, Start, ToGuard, receive, send};
use super::room::Room;
use super::{tree, vanish};

/// What runs the command line.
const SHELL: &str = "/bin/sh";
/// Killing or stopping all processes of a program takes no longer, or something is wrong with the machine.
const TREE_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks at processes that are to end or to stop.
const LOOK_AGAIN_AFTER: Duration = Duration::from_micros(500);

/// What is known of the program.
struct Guard<'a> {
    runner: &'a UnixStream,
    /// The process of the command line.
    first: i32,
    first_ended: bool,
    /// Status of the process that was reaped last.
    last: i32,
    cpu_ns: u64,
    peak: u64,
}

/// Starts the program and minds it until no process of it is left, or the runner is gone.
pub(super) fn serve(runner: &UnixStream, room: &Room, start: &Start, output: OwnedFd, errors: OwnedFd) -> io::Result<()> {
    nix::sys::prctl::set_child_subreaper(true)?;
    let signals = children()?;
    let first = match begin(room, start, output, errors) {
        Ok(first) => first,
        Err(cause) => return send(runner, &FromGuard::NotStarted(cause.to_string()), &[]),
    };
    send(runner, &FromGuard::Started, &[])?;
    let mut guard = Guard { runner, first, first_ended: false, last: 0, cpu_ns: 0, peak: 0 };
    loop {
        wait_for(&[runner.as_fd(), signals.as_fd()], None)?;
        while signals.read_signal()?.is_some() {}
        if guard.reap()? {
            return guard.say(&FromGuard::Gone { last: guard.last, cpu_ns: guard.cpu_ns, peak: guard.peak });
        }
        if is_readable(runner)? {
            match receive::<ToGuard>(runner)? {
                Some((order, _)) => guard.obey(&order)?,
                None => {
                    guard.kill_all()?;
                    return Ok(());
                }
            }
        }
    }
}

/// Writes the files and starts the program in its folder.
fn begin(room: &Room, start: &Start, output: OwnedFd, errors: OwnedFd) -> io::Result<i32> {
    room.enter()?;
    let at = |path: &Path, cause: io::Error| io::Error::new(cause.kind(), format!("{}: {cause}", path.display()));
    let folder = Path::new(&start.folder);
    fs::create_dir_all(folder).map_err(|cause| at(folder, cause))?;
    for (path, content) in &start.files {
        let path = folder.join(path);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, content));
        written.map_err(|cause| at(&path, cause))?;
    }
    let mut command = Command::new(SHELL);
    command.arg("-c").arg(&start.command).current_dir(folder).env_clear().envs(start.env.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::from(output)).stderr(Stdio::from(errors));
    let alone = || {
        nix::unistd::setsid()?;
        Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?)
    };
    // SAFETY: the guard has one thread, and the closure makes two system calls.
    unsafe { command.pre_exec(alone) };
    let child = command.spawn().map_err(|cause| at(Path::new(SHELL), cause))?;
    i32::try_from(child.id()).map_err(io::Error::other)
}

impl Guard<'_> {
    fn say(&self, word: &FromGuard) -> io::Result<()> {
        send(self.runner, word, &[])
    }

    /// Takes note of processes that have ended. True: none is left.
    fn reap(&mut self) -> io::Result<bool> {
        loop {
            let mut status = 0;
            // SAFETY: a struct of integers, for which zero is a value.
            let mut used: libc::rusage = unsafe { std::mem::zeroed() };
            // SAFETY: both pointers are to live variables of the right types.
            let id = unsafe { libc::wait4(-1, &mut status, libc::WNOHANG, &mut used) };
            match id {
                0 => return Ok(false),
                -1 => {
                    let cause = io::Error::last_os_error();
                    return if cause.raw_os_error() == Some(libc::ECHILD) { Ok(true) } else { Err(cause) };
                }
                _ => {}
            }
            self.last = if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) };
            let micros = |time: libc::timeval| time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_usec.unsigned_abs();
            self.cpu_ns += 1000 * (micros(used.ru_utime) + micros(used.ru_stime));
            self.peak = self.peak.max(used.ru_maxrss.unsigned_abs() * 1024);
            if id == self.first {
                self.first_ended = true;
                self.say(&FromGuard::Exited(self.last))?;
            }
        }
    }

    fn obey(&mut self, order: &ToGuard) -> io::Result<()> {
        let answer = match order {
            ToGuard::Signal { number, stop } => self.signal(*number, *stop).map(FromGuard::Reached),
            // `Gone` is said by the loop.
            ToGuard::Kill { silently: false } => return self.kill_all(),
            ToGuard::Kill { silently: true } => match self.freeze().and_then(|_| vanish::take(&processes()?)) {
                // They close when the last process that had them is dead.
                Ok(sockets) => return self.kill_all_with(sockets),
                Err(cause) => Err(cause),
            },
            ToGuard::Freeze => self.freeze().map(FromGuard::Reached),
            ToGuard::Thaw => self.signal_all(Signal::SIGCONT).map(FromGuard::Reached),
            ToGuard::Usage => processes().map(|living| {
                let (cpu_ns, memory) = tree::usage(&living);
                FromGuard::Usage(self.cpu_ns + cpu_ns, memory)
            }),
            ToGuard::Bound(address, port) => is_bound(*address, *port).map(FromGuard::Bound),
            ToGuard::Listening(port) => is_listened_on(*port).map(FromGuard::Bound),
        };
        self.say(&answer.unwrap_or_else(|cause| FromGuard::Refused(cause.to_string())))
    }

    /// To the program itself. Where a shell still stands for it, or its first process has ended, to all its processes.
    fn signal(&self, number: i32, stop: bool) -> io::Result<usize> {
        let signal = Signal::try_from(number)?;
        if !self.first_ended && !tree::is_shell(self.first) {
            return Ok(usize::from(kill(Pid::from_raw(self.first), signal).is_ok()));
        }
        let spared = |process: &tree::Process, living: &[tree::Process]| {
            !stop && living.len() > 1 && tree::is_shell(process.id) && !tree::minds(process.id, number)
        };
        let living = processes()?;
        let reached = living.iter().filter(|process| !spared(process, &living) && kill(Pid::from_raw(process.id), signal).is_ok());
        Ok(reached.count())
    }

    fn signal_all(&self, signal: Signal) -> io::Result<usize> {
        let living = processes()?;
        Ok(living.iter().filter(|process| kill(Pid::from_raw(process.id), signal).is_ok()).count())
    }

    /// Stops all, and those that were born meanwhile.
    fn freeze(&self) -> io::Result<usize> {
        let until = Instant::now() + TREE_LIMIT;
        loop {
            let living = processes()?;
            if living.iter().all(tree::Process::is_still) {
                return Ok(living.len());
            }
            for process in living.iter().filter(|process| !process.is_still()) {
                let _ = kill(Pid::from_raw(process.id), Signal::SIGSTOP);
            }
            in_time(until, "stop")?;
        }
    }

    fn kill_all(&mut self) -> io::Result<()> {
        self.kill_all_with(Vec::new())
    }

    /// Ends all, and those that were born meanwhile, then these sockets of theirs.
    fn kill_all_with(&mut self, sockets: Vec<Socket>) -> io::Result<()> {
        let until = Instant::now() + TREE_LIMIT;
        while !self.reap()? {
            for process in processes()? {
                let _ = kill(Pid::from_raw(process.id), Signal::SIGKILL);
            }
            in_time(until, "end")?;
        }
        drop(sockets);
        self.say(&FromGuard::Gone { last: self.last, cpu_ns: self.cpu_ns, peak: self.peak })?;
        // SAFETY: nothing of the program is left to mind; this process is a copy whose clean-up is not its own.
        unsafe { libc::_exit(0) }
    }
}

/// The program's processes that have not ended.
fn processes() -> io::Result<Vec<tree::Process>> {
    let mut found = tree::descendants(nix::unistd::getpid().as_raw())?;
    found.retain(|process| !process.is_over());
    Ok(found)
}

fn in_time(until: Instant, doing: &str) -> io::Result<()> {
    if Instant::now() >= until {
        return Err(io::Error::other(format!("its processes did not {doing} within {} s", TREE_LIMIT.as_secs())));
    }
    std::thread::sleep(LOOK_AGAIN_AFTER);
    Ok(())
}

/// A UDP socket of this node has the port, at the address or at all.
fn is_bound(address: IpAddr, port: u16) -> io::Result<bool> {
    let found = |path: &str| fs::read_to_string(path).map(|text| text.lines().skip(1).any(|line| holds(line, address, port)));
    Ok(found("/proc/self/net/udp")? || found("/proc/self/net/udp6").unwrap_or(false))
}

/// A TCP socket of this node listens on the port, at whatever address.
fn is_listened_on(port: u16) -> io::Result<bool> {
    let found = |path: &str| fs::read_to_string(path).map(|text| text.lines().skip(1).any(|line| listens(line, port)));
    Ok(found("/proc/self/net/tcp")? || found("/proc/self/net/tcp6").unwrap_or(false))
}

/// The fields of a socket: its own place, and its state, of which `0A` is that of a listener.
fn listens(line: &str, port: u16) -> bool {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let own = fields.next().and_then(|own| own.rsplit_once(':')).map(|(_, port)| u16::from_str_radix(port, 16));
    own == Some(Ok(port)) && fields.nth(1) == Some("0A")
}

/// `  12: 0100007F:0035 00000000:0000 07 ...`: addresses are words of four bytes in the machine's order.
fn holds(line: &str, address: IpAddr, port: u16) -> bool {
    let local = line.split_ascii_whitespace().nth(1).and_then(|local| local.split_once(':'));
    let Some((words, number)) = local else { return false };
    let words: Vec<u32> = words.as_bytes().chunks(8).filter_map(|w| u32::from_str_radix(std::str::from_utf8(w).ok()?, 16).ok()).collect();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let bound: Option<IpAddr> = match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    };
    let there = bound.is_some_and(|bound| {
        let any = bound.is_unspecified() && (bound.is_ipv6() || address.is_ipv4());
        any || bound.to_canonical() == address.to_canonical()
    });
    there && u16::from_str_radix(number, 16) == Ok(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_found_in_the_kernels_table() {
        let line =
            |state: &str| format!("   0: 00000000:4E20 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 1");
        assert!(listens(&line("0A"), 20_000) && !listens(&line("0A"), 20_001) && !listens(&line("01"), 20_000) && !listens("", 20_000));
        let v6 = "   0: 00000000000000000000000000000000:4E20 00000000000000000000000000000000:0000 0A 00000000:00000000";
        assert!(listens(v6, 20_000));
    }

    #[test]
    fn bound_ports_are_found_in_the_kernels_table() {
        let v4 = "  11: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 5 2 0 0";
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(holds(v4, address("127.0.0.1"), 53));
        assert!(!holds(v4, address("127.0.0.2"), 53) && !holds(v4, address("127.0.0.1"), 54) && !holds("", address("127.0.0.1"), 53));
        let any = "  11: 00000000:0035 00000000:0000 07";
        assert!(holds(any, address("10.0.0.1"), 53) && !holds(any, address("fd00::1"), 53));
        let any6 = "  11: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07";
        assert!(holds(any6, address("10.0.0.1"), 53) && holds(any6, address("fd00::1"), 53));
    }
}
