//! The thread that writes captures, so that nothing that carries or reads frames waits for a disk. In: frames with what became of them. Out:
//! files. What waits is bounded: a frame for which there is no room is refused, and whoever offered it counts it. What all files together take
//! of the disk is bounded too: those that keep the last frames then forget their oldest, the largest first.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::thread::JoinHandle;

use super::file::{CaptureFile, Written};
use super::pcapng::{self, Frame, Seen};
use super::row::Row;

/// Bytes of frames that may wait to be written.
const WAITING_BYTES: usize = 64 << 20;
/// What all files of a run together may take of the disk, bytes; how much comes before it is looked at again.
pub(crate) const ALL_BYTES: u64 = 2 << 30;
const LOOK_EVERY: u64 = 1 << 20;
/// What a waiting frame takes besides its bytes.
const ROW_BYTES: usize = 128;

enum Message {
    Open(usize, Box<CaptureFile>),
    Row(usize, Row),
    Close(usize, Vec<Seen>, SyncSender<Written>),
    End,
}

/// Takes frames for the thread. Clones lead to the same one.
#[derive(Clone)]
pub(crate) struct Feed {
    messages: Sender<Message>,
    waiting: Arc<AtomicUsize>,
}

impl Feed {
    /// Gives a frame to a file; false: there is no room for it now.
    pub(crate) fn offer(&self, file: usize, row: Row) -> bool {
        let size = row.bytes.len() + ROW_BYTES;
        if self.waiting.fetch_add(size, Ordering::Relaxed) + size > WAITING_BYTES {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
            return false;
        }
        self.messages.send(Message::Row(file, row)).is_ok()
    }
}

/// The thread's handle. Dropped, it lets the thread write what it has.
pub(crate) struct Writer {
    feed: Feed,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// `most`: what all files together may take of the disk, bytes.
    pub(crate) fn start(most: u64) -> io::Result<Self> {
        let (messages, todo) = channel();
        let feed = Feed { messages, waiting: Arc::default() };
        let waiting = Arc::clone(&feed.waiting);
        let thread = std::thread::Builder::new().name("scn-capture".to_owned()).spawn(move || write(&todo, &waiting, most))?;
        Ok(Writer { feed, thread: Some(thread) })
    }

    /// What takes frames.
    pub(crate) fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Begins a file under a number of its own.
    pub(crate) fn open(&self, number: usize, file: CaptureFile) {
        // Whose thread is gone has ended; closing tells.
        let _ = self.feed.messages.send(Message::Open(number, Box::new(file)));
    }

    /// Ends a file once all frames that were given are in it; `seen` is what each of its interfaces saw.
    pub(crate) fn close(&self, number: usize, seen: Vec<Seen>) -> Written {
        let gone = || Written { trouble: Some("the thread that writes captures ended (a bug in scn)".to_owned()), ..Written::default() };
        let (sender, answer) = sync_channel(1);
        let _ = self.feed.messages.send(Message::Close(number, seen, sender));
        answer.recv().unwrap_or_else(|_| gone())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.feed.messages.send(Message::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

type Files = BTreeMap<usize, Box<CaptureFile>>;

fn write(todo: &Receiver<Message>, waiting: &AtomicUsize, most: u64) {
    let mut files = Files::new();
    let mut block = Vec::new();
    // What ended files take, and what has come since it was looked at last, bytes.
    let (mut ended, mut fresh) = (0, 0);
    loop {
        let message = match todo.try_recv() {
            Ok(message) => message,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                files.values_mut().filter(|file| file.is_dirty()).for_each(|file| file.flush());
                let Ok(message) = todo.recv() else { break };
                message
            }
        };
        match message {
            Message::Open(number, file) => drop(files.insert(number, file)),
            Message::Row(number, row) => {
                waiting.fetch_sub(row.bytes.len() + ROW_BYTES, Ordering::Relaxed);
                let Some(file) = files.get_mut(&number) else { continue };
                let (comment, direction) = row.words();
                block.clear();
                let Row { interface, at_ns, bytes, .. } = &row;
                pcapng::frame(&mut block, &Frame { interface: *interface, at_ns: *at_ns, bytes, direction, comment: &comment });
                file.put(&block);
                fresh += block.len() as u64;
                if fresh >= LOOK_EVERY.min(most / 4) {
                    fresh = 0;
                    keep_within(&mut files, most.saturating_sub(ended));
                }
            }
            Message::Close(number, seen, answer) => {
                let Some(file) = files.remove(&number) else { continue };
                block.clear();
                (0..).zip(&seen).for_each(|(interface, seen)| pcapng::statistics(&mut block, interface, seen));
                let written = file.finish(&block);
                ended += written.bytes;
                // Who asked waits.
                let _ = answer.send(written);
            }
            Message::End => break,
        }
    }
    files.into_values().for_each(|file| drop(file.finish(&[])));
}

/// Keeps files within a bound together. Where none has anything to forget, none takes more.
fn keep_within(files: &mut Files, most: u64) {
    let size = |files: &Files| files.values().map(|file| file.size()).sum::<u64>();
    // Each turn takes at least one frame from a file.
    while size(files) > most {
        match files.values_mut().max_by_key(|file| file.spare()).filter(|file| file.spare() > 0) {
            Some(largest) => largest.shorten(),
            None => return files.values_mut().for_each(|file| file.stop()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::file::{Bound, Keeps};
    use super::super::pcapng::Direction;
    use super::super::row::Said;
    use super::*;

    const MOST: u64 = 40_000;

    /// A run with so many files, of which the first is busy; what they came to.
    fn run(keeps: Keeps, count: usize, frames: usize) -> (Vec<Written>, u64) {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::start(MOST).unwrap();
        let bound = Bound { bytes: 10 * MOST, keeps };
        for number in 0..count {
            writer.open(number, CaptureFile::create(folder.path().join(format!("{number}.pcapng")), b"HEADER".to_vec(), bound));
        }
        let feed = writer.feed();
        let mut offer = |number: usize| {
            let row = Row { interface: 0, at_ns: 1, bytes: vec![7; 1000], is_many: false, said: Said::Seen(Direction::In) };
            assert!(feed.offer(number, row));
        };
        (1..count).for_each(&mut offer);
        (0..frames).for_each(|_| offer(0));
        let written = (0..count).map(|number| writer.close(number, Vec::new())).collect();
        let on_disk = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        (written, on_disk)
    }

    #[test]
    fn all_files_together_keep_a_bound_and_the_busy_one_pays() {
        let (written, on_disk) = run(Keeps::Last, 5, 500);
        // It is looked at after each quarter of the bound.
        assert!(on_disk <= MOST + MOST / 4 + 2000, "{on_disk} bytes: {written:?}");
        assert!(written[0].shortened && written[0].left_out > 0 && written[0].packets > 0, "{written:?}");
        assert_eq!(written[0].packets + written[0].left_out, 500);
        for idle in &written[1..] {
            assert_eq!((idle.packets, idle.left_out, idle.shortened), (1, 0, false), "{written:?}");
        }
        assert!(run(Keeps::Last, 5, 10).0.iter().all(|file| !file.shortened && file.left_out == 0));
    }

    #[test]
    fn files_that_keep_the_first_frames_take_no_more() {
        let (written, on_disk) = run(Keeps::First, 2, 500);
        assert!(on_disk <= MOST + MOST / 4 + 2000, "{on_disk} bytes: {written:?}");
        assert!(written[0].shortened && written[0].packets > 0 && written[0].packets + written[0].left_out == 500, "{written:?}");
    }
}
