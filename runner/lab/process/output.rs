//! What a program writes: lines with their times, the first and the last of them kept. In: pipes. Out: lines to whoever minds the program,
//! and a bounded store of them. Interprets nothing.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::Instant;

use scn_reports::record::process::{Line, Output, Stream, text_of};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver as Pipe;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;
/// A longer line counts as several, bytes.
const LONGEST_LINE: usize = 8 << 10;
/// Lines that may wait; then the program waits.
const WAITING: usize = 1024;
/// Bytes of the first lines that are kept.
const HEAD: usize = 64 << 10;
/// Bytes of the last lines that are kept.
const TAIL: usize = 192 << 10;

/// A line as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// When its end was read.
    pub(super) at: Instant,
    /// Where it was written to.
    pub(super) stream: Stream,
    /// Without its end.
    pub(super) text: String,
    /// It has no end: the stream was closed behind it.
    pub(super) open: bool,
}

/// Reads both pipes until they close. To be called inside the runtime.
pub(super) fn read(output: OwnedFd, errors: OwnedFd) -> std::io::Result<Receiver<Written>> {
    let (tell, lines) = channel(WAITING);
    for (pipe, stream) in [(output, Stream::Output), (errors, Stream::Errors)] {
        tokio::spawn(lines_of(Pipe::from_owned_fd(pipe)?, stream, tell.clone()));
    }
    Ok(lines)
}

async fn lines_of(mut pipe: Pipe, stream: Stream, tell: Sender<Written>) {
    let mut open: Vec<u8> = Vec::new();
    let mut chunk = vec![0u8; CHUNK];
    loop {
        let got = pipe.read(&mut chunk).await.unwrap_or(0);
        let at = Instant::now();
        let line = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            Written { at, stream, text, open: false }
        };
        open.extend_from_slice(&chunk[..got]);
        let mut whole = Vec::new();
        let mut from = 0;
        while let Some(length) =
            open[from..].iter().position(|b| *b == b'\n').or((open.len() - from > LONGEST_LINE).then_some(LONGEST_LINE))
        {
            let length = length.min(LONGEST_LINE);
            whole.push(line(&open[from..from + length]));
            from += length + usize::from(open.get(from + length) == Some(&b'\n'));
        }
        open.drain(..from);
        if got == 0 && !open.is_empty() {
            whole.push(Written { text: String::from_utf8_lossy(&open).into_owned(), open: true, ..line(&[]) });
        }
        for line in whole {
            if tell.send(line).await.is_err() {
                return;
            }
        }
        if got == 0 {
            return;
        }
    }
}

/// The first and the last lines.
#[derive(Debug, Clone, Default)]
pub(super) struct Store {
    head: Vec<Written>,
    head_bytes: usize,
    tail: VecDeque<Written>,
    tail_bytes: usize,
    left_out: u64,
}

impl Store {
    /// Keeps a line, if need be in place of an earlier one.
    pub(super) fn add(&mut self, line: Written) {
        let bytes = line.text.len() + 1;
        if self.tail.is_empty() && self.left_out == 0 && self.head_bytes + bytes <= HEAD {
            self.head_bytes += bytes;
            self.head.push(line);
            return;
        }
        self.tail_bytes += bytes;
        self.tail.push_back(line);
        while self.tail_bytes > TAIL {
            let Some(old) = self.tail.pop_front() else { break };
            self.tail_bytes -= old.text.len() + 1;
            self.left_out += 1;
        }
    }

    /// The last lines of what was written since an instant.
    pub(super) fn last(&self, count: usize, since: Instant) -> Vec<String> {
        let lines: Vec<&Written> = self.head.iter().chain(&self.tail).filter(|line| line.at >= since).collect();
        lines[lines.len().saturating_sub(count)..].iter().map(|line| line.text.clone()).collect()
    }

    /// What was written so far, to the standard output alone or to both: one text, or two with a gap between them.
    pub(super) fn texts(&self, both: bool) -> Vec<String> {
        let text = |lines: &mut dyn Iterator<Item = &Written>| {
            let told = lines.filter(|line| both || line.stream == Stream::Output);
            text_of(told.map(|line| (line.text.as_str(), line.open)))
        };
        match self.left_out {
            0 => vec![text(&mut self.head.iter().chain(&self.tail))],
            _ => vec![text(&mut self.head.iter()), text(&mut self.tail.iter())],
        }
    }

    /// As it is recorded; `ns` tells an instant on the run's clock.
    pub(super) fn record(self, ns: &dyn Fn(Instant) -> i64) -> Output {
        let line = |line: Written| Line { at_ns: ns(line.at), stream: line.stream, text: line.text, open: line.open };
        Output {
            after: u32::try_from(self.head.len()).unwrap_or(u32::MAX),
            lines: self.head.into_iter().chain(self.tail).map(line).collect(),
            left_out: self.left_out,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn written(text: &str) -> Written {
        Written { at: Instant::now(), stream: Stream::Output, text: text.to_owned(), open: false }
    }

    #[tokio::test]
    async fn lines_come_whole() {
        let (output, mut to_output) = std::io::pipe().unwrap();
        let (errors, mut to_errors) = std::io::pipe().unwrap();
        let mut lines = read(output.into(), errors.into()).unwrap();
        to_output.write_all(b"one\ntw").unwrap();
        assert_eq!(lines.recv().await.unwrap().text, "one");
        to_output.write_all(b"o\r\n\nlast").unwrap();
        drop(to_output);
        let mut rest = Vec::new();
        for _ in 0..3 {
            let line = lines.recv().await.unwrap();
            rest.push((line.text, line.open));
        }
        assert_eq!(rest, [("two\r".to_owned(), false), (String::new(), false), ("last".to_owned(), true)], "as it was written");
        to_errors.write_all(&[b'x'; LONGEST_LINE + 1]).unwrap();
        drop(to_errors);
        let long = lines.recv().await.unwrap();
        assert_eq!((long.text.len(), long.stream), (LONGEST_LINE, Stream::Errors));
        assert_eq!(lines.recv().await.unwrap().text, "x");
        assert!(lines.recv().await.is_none(), "both pipes are closed");
    }

    #[test]
    fn a_text_has_no_end_that_nobody_wrote() {
        let (mut store, last) = (Store::default(), Written { open: true, ..written("10000 200") });
        store.add(written("one"));
        assert_eq!(store.texts(false), ["one\n"]);
        store.add(last);
        assert_eq!(store.texts(false), ["one\n10000 200"]);
        let lines = store.clone().record(&|_| 0).lines;
        assert_eq!(lines.iter().map(|line| line.open).collect::<Vec<_>>(), [false, true]);
        // Another life of the same program.
        store.add(written("two"));
        assert_eq!(store.texts(false), ["one\n10000 200\ntwo\n"]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut store = Store::default();
        let began = Instant::now();
        let line = "y".repeat(999);
        for number in 0..1000 {
            store.add(written(&format!("{number}{line}")));
        }
        assert_eq!(store.last(1, began)[0][..4], *"999y");
        assert_eq!(store.texts(true).len(), 2, "nobody can tell what stood between");
        let kept = store.record(&|_| 0);
        let bytes: usize = kept.lines.iter().map(|line| line.text.len() + 1).sum();
        assert!(bytes <= HEAD + TAIL, "{bytes}");
        assert_eq!(kept.left_out, 1000 - kept.lines.len() as u64);
        assert!(kept.lines[0].text.starts_with("0y") && kept.lines[kept.after as usize - 1].text.len() > 900);
    }
}
