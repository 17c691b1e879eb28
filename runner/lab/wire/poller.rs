//! Waits until a socket has frames, an instant has come, or the pump is to stop. In: sockets with numbers, an instant. Out: the
//! numbers of those that are ready. Reads nothing from sockets.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// Sockets told of by one call; more wait for the next.
const READY_AT_ONCE: usize = 64;
/// The number under which the timer is watched.
const TIMER: u64 = u64::MAX;

/// Epoll with a timer of nanoseconds that is not coarsened as time limits of system calls are.
pub(crate) struct Poller {
    epoll: OwnedFd,
    timer: TimerFd,
    armed_ns: Option<u64>,
    ready: Vec<libc::epoll_event>,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked before it is owned.
        let raw = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just made this descriptor for us; nobody else owns it.
        let epoll = unsafe { OwnedFd::from_raw_fd(raw) };
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let poller = Poller { epoll, timer, armed_ns: None, ready: vec![libc::epoll_event { events: 0, u64: 0 }; READY_AT_ONCE] };
        poller.watch(std::os::fd::AsFd::as_fd(&poller.timer).as_raw_fd(), TIMER)?;
        Ok(poller)
    }

    /// Watches a descriptor for something to read. It must stay open as long as it is watched.
    pub(crate) fn watch(&self, descriptor: RawFd, number: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: number };
        // SAFETY: `event` lives through the call, the kernel copies it.
        let result = unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, descriptor, &raw mut event) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Waits, at the longest to an instant on the monotonic clock, and tells which numbers are ready. `over`: that instant has come, so
    /// it only looks.
    pub(crate) fn wait(&mut self, until_ns: Option<u64>, over: bool, numbers: &mut Vec<u64>) -> io::Result<()> {
        numbers.clear();
        if !over && self.armed_ns != until_ns {
            match until_ns {
                Some(at) => {
                    let at = TimeSpec::new((at / 1_000_000_000).cast_signed(), (at % 1_000_000_000).cast_signed());
                    self.timer.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
                }
                None => self.timer.unset()?,
            }
            self.armed_ns = until_ns;
        }
        let room = libc::c_int::try_from(READY_AT_ONCE).unwrap_or(1);
        // SAFETY: the buffer has room for as many events as the call is told.
        let count = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), self.ready.as_mut_ptr(), room, if over { 0 } else { -1 }) };
        let Ok(count) = usize::try_from(count) else {
            let cause = Errno::last();
            return if cause == Errno::EINTR { Ok(()) } else { Err(cause.into()) };
        };
        for event in &self.ready[..count] {
            let number = event.u64;
            if number == TIMER {
                // It has fired; reading makes it silent. Setting it anew does the same.
                let _ = nix::unistd::read(std::os::fd::AsFd::as_fd(&self.timer), &mut [0; 8]);
                self.armed_ns = None;
            } else {
                numbers.push(number);
            }
        }
        Ok(())
    }
}
