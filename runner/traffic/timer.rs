//! The kernel's timer as something that an event loop can wait for. In: absolute instants of CLOCK_MONOTONIC. Out: readiness. Keeps
//! no deadlines: that is the pacer's work.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A timerfd in an event loop.
pub struct Timer {
    watched: AsyncFd<Source>,
}

struct Source(TimerFd);

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Source {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Timer {
    /// A timer that is not set, inside a tokio runtime with io enabled.
    pub fn new() -> io::Result<Timer> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        // SAFETY: `Source` owns its descriptor, always gives the same one, and neither closes it nor gives it away before it is
        // dropped, which is after `AsyncFd` has deregistered it.
        let watched = unsafe { AsyncFd::register_with_interest(Source(timer), Interest::READABLE) }?;
        Ok(Timer { watched })
    }

    /// Sets it to an instant of CLOCK_MONOTONIC, ns; one that is past goes off at once.
    pub fn set(&self, at_ns: i64) {
        let at_ns = at_ns.max(1);
        let at = TimeSpec::new(at_ns / 1_000_000_000, at_ns % 1_000_000_000);
        // It can only fail for a closed descriptor or a malformed time; neither can be.
        let _ = self.watched.get_ref().0.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME);
    }

    /// Waits until it goes off.
    pub async fn goes_off(&self) -> io::Result<()> {
        loop {
            let mut ready = self.watched.readable().await?;
            match ready.try_io(|timer| timer.get_ref().0.wait().map_err(io::Error::from)) {
                Ok(result) => return result,
                Err(_would_block) => {}
            }
        }
    }
}
