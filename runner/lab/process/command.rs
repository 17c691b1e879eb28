//! Commands: of the timeline, and those that ask whether a program is ready. In: a command. Out: its status and what it wrote. A command is
//! over when its first process has ended; what it leaves in the background lives on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::message::{FromGuard, Start};
use super::output::{self, Store, Written};
use super::{News, Tools};

/// When the command has ended, what it wrote is read for no longer: what it left in the background may hold its output open.
const DRAIN_LIMIT: Duration = Duration::from_millis(100);

/// What a command of the timeline came to.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    pub(super) node: usize,
    pub(super) started: Instant,
    pub(super) ended: Option<Instant>,
    pub(super) status: Option<i32>,
    pub(super) output: Store,
}

impl Ran {
    /// It begins now.
    pub(super) fn begun(node: usize) -> Self {
        Ran { node, started: Instant::now(), ended: None, status: None, output: Store::default() }
    }
}

/// Commands of the timeline, by the entry.
pub(super) type Shelf = Arc<Mutex<BTreeMap<usize, Ran>>>;

/// Runs a command to its end. `hear` gets its lines. If it is dropped, all of the command is killed.
pub(super) async fn run(tools: &Tools, start: Start, hear: &mut (dyn FnMut(Written) + Send)) -> Result<i32, String> {
    let (orders, mut words, pipes) = tools.start(start)?;
    let mut lines = output::read(pipes.0, pipes.1).map_err(|cause| cause.to_string())?;
    let mut open = true;
    let status = loop {
        tokio::select! {
            word = words.recv() => match word {
                Some(FromGuard::Exited(status)) => break status,
                Some(FromGuard::NotStarted(why)) => return Err(why),
                Some(_) => {}
                None => return Err("its guard ended".to_owned()),
            },
            line = lines.recv(), if open => match line {
                Some(line) => hear(line),
                None => open = false,
            },
        }
    };
    let until = tokio::time::Instant::now() + DRAIN_LIMIT;
    while open && let Ok(Some(line)) = tokio::time::timeout_at(until, lines.recv()).await {
        hear(line);
    }
    // The guard of what lives on ends when nobody holds its socket.
    tokio::spawn(async move {
        let _held = orders;
        loop {
            tokio::select! {
                word = words.recv() => if word.is_none() {
                    return;
                },
                line = lines.recv(), if open => open = line.is_some(),
            }
        }
    });
    Ok(status)
}

/// Runs a command of the timeline, and puts what it came to on the shelf.
pub(super) async fn carry_out(tools: Tools, shelf: Shelf, entry: usize, start: Start) {
    let mut hear = |line: Written| {
        let line = Written { text: tools.secrets.mask(line.text), ..line };
        if let Some(ran) = lock(&shelf).get_mut(&entry) {
            ran.output.add(line);
        }
    };
    let status = run(&tools, start, &mut hear).await;
    let ended = Instant::now();
    match status {
        Ok(status) => {
            if let Some(ran) = lock(&shelf).get_mut(&entry) {
                (ran.ended, ran.status) = (Some(ended), Some(status));
            }
            let _ = tools.news.send(News::Ended(entry));
        }
        Err(why) => drop(tools.news.send(News::Broken(format!("a command could not be run: {why}")))),
    }
}

/// The shelf, whoever broke while holding it: what stands there is whole at every moment.
pub(super) fn lock(shelf: &Shelf) -> MutexGuard<'_, BTreeMap<usize, Ran>> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}
