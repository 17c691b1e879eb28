//! The terminal at which a held network is let go. In: a file. Out: whether somebody has said something there. Stops for nobody: a run in the
//! background that reads its terminal would be stopped by the kernel.

use std::os::fd::{AsFd as _, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// More of one line is read as another.
const LINE: usize = 4096;

/// What a terminal has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing so far.
    Nothing,
    /// A line, or the end of a file: at a terminal more may follow.
    Line,
    /// There is no such terminal any more.
    Gone,
}

/// Waits for a line, or for the end of the terminal.
pub(crate) async fn wait_for_line(terminal: &OwnedFd) -> Heard {
    // SAFETY: the file is borrowed, so open and the same, for as long as it is watched.
    let Ok(watched) = (unsafe { AsyncFd::register_with_interest(terminal.as_fd(), Interest::READABLE) }) else { return Heard::Gone };
    loop {
        let Ok(mut ready) = watched.readable().await else { return Heard::Gone };
        match listen(terminal) {
            Heard::Nothing => ready.clear_ready(),
            heard => return heard,
        }
    }
}

/// Reads a line if there is one. Waits for none, and does not let the kernel stop a run in the background for it.
pub(crate) fn listen(terminal: &OwnedFd) -> Heard {
    let mut asked = [PollFd::new(terminal.as_fd(), PollFlags::POLLIN)];
    if !poll(&mut asked, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) {
        return Heard::Nothing;
    }
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    if asked[0].revents().is_some_and(|found| found.intersects(gone)) {
        return Heard::Gone;
    }
    // Only here and in this thread: programs under test would inherit what holds for the process.
    let stops = SigSet::from(Signal::SIGTTIN);
    let Ok(before) = stops.thread_swap_mask(SigmaskHow::SIG_BLOCK) else { return Heard::Nothing };
    let got = nix::unistd::read(terminal, &mut [0; LINE]);
    // It was in force a moment ago.
    let _ = before.thread_set_mask();
    match got {
        Ok(_) => Heard::Line,
        Err(Errno::EINTR | Errno::EAGAIN) => Heard::Nothing,
        Err(Errno::EIO) if is_in_background(terminal) => Heard::Nothing,
        Err(_) => Heard::Gone,
    }
}

/// Another program has the terminal.
pub(crate) fn is_in_background(terminal: &OwnedFd) -> bool {
    // Without a group of programs that has it, whoever reads it first has the line.
    nix::unistd::tcgetpgrp(terminal).is_ok_and(|group| group != nix::unistd::getpgrp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_ends_by_a_line_and_not_by_a_terminal_that_is_gone() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        assert_eq!(listen(&reader), Heard::Nothing);
        nix::unistd::write(&writer, b"\n").unwrap();
        assert_eq!(listen(&reader), Heard::Line);
        assert_eq!(listen(&reader), Heard::Nothing, "it was read");
        drop(writer);
        assert_eq!(listen(&reader), Heard::Gone);
        assert!(!is_in_background(&reader), "no terminal, nobody else has it");
    }
}
