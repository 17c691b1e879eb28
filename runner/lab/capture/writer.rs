//! The thread that writes captures, so that nothing that carries or reads frames waits for a disk. In: frames with what became of them. Out:
//! files. What waits is bounded: a frame for which there is no room is refused, and whoever offered it counts it.

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
    pub(crate) fn start() -> io::Result<Self> {
        let (messages, todo) = channel();
        let feed = Feed { messages, waiting: Arc::default() };
        let waiting = Arc::clone(&feed.waiting);
        let thread = std::thread::Builder::new().name("scn-capture".to_owned()).spawn(move || write(&todo, &waiting))?;
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

fn write(todo: &Receiver<Message>, waiting: &AtomicUsize) {
    let mut files: BTreeMap<usize, Box<CaptureFile>> = BTreeMap::new();
    let mut block = Vec::new();
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
            }
            Message::Close(number, seen, answer) => {
                let Some(file) = files.remove(&number) else { continue };
                block.clear();
                (0..).zip(&seen).for_each(|(interface, seen)| pcapng::statistics(&mut block, interface, seen));
                // Who asked waits.
                let _ = answer.send(file.finish(&block));
            }
            Message::End => break,
        }
    }
    files.into_values().for_each(|file| drop(file.finish(&[])));
}
