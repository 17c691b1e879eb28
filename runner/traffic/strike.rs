//! Faults of scn's own servers and clients, as if each were a process of its node: killed, without a word where a node vanishes, or made
//! to stand still and let go on. In: listeners, flows, what strikes them. Out: which of them it met. Opens nothing.

use std::os::fd::{BorrowedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use scn_grammar::scenario::FlowId;
use tokio::sync::oneshot;

use super::control::{Control, Order, Role};
use super::datagram;
use super::flow::Run;
use super::shared::Command;
use super::worker::Worker;
use super::{Traffic, TrafficError};

/// Workers answer within this time: what they have to close is closed in their tasks' next turn.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Turns of all tasks in which those that are killed end; they need two.
const MOST_TURNS: u32 = 10_000;
/// Switches a socket's repair mode on: when it is closed then, its kernel says nothing to its peer.
const REPAIR_ON: libc::c_int = 1;

/// What strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// Ends them at once; the kernel closes their sockets as those of a process that ends.
    Kill {
        /// Their peers hear nothing.
        silently: bool,
    },
    /// Makes them stand still: they read, accept and send nothing, their sockets stay as they are.
    Freeze,
    /// Lets them go on.
    Thaw,
}

/// What is struck.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Struck {
    /// Positions among the plan's listeners.
    pub listeners: Vec<usize>,
    /// Flows, at their clients' end.
    pub flows: Vec<FlowId>,
}

impl Struck {
    /// It is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listeners.is_empty() && self.flows.is_empty()
    }

    /// The task of a role belongs to it.
    fn holds(&self, role: Role) -> bool {
        match role {
            Role::Listener(listener) | Role::Server(listener) => self.listeners.contains(&listener),
            Role::Client(flow, _) => self.flow(flow),
            // It looks on, as no process of the node does.
            Role::Observer(_) => false,
        }
    }

    fn flow(&self, flow: usize) -> bool {
        self.flows.iter().any(|struck| struck.index() == flow)
    }
}

impl Traffic {
    /// Strikes listeners with their connections, and the clients of flows. `at_ns`: the instant that was meant; the flows that are killed
    /// end there. Out: those that it met: what does not run can be neither killed nor frozen.
    ///
    /// # Errors
    /// When a worker does not answer.
    pub async fn strike(&self, whom: &Struck, blow: Blow, at_ns: i64) -> Result<Struck, String> {
        let listeners = whom.listeners.iter().copied().filter(|listener| self.meets_listener(*listener, blow)).collect();
        let flows = whom.flows.iter().copied().filter(|flow| self.meets_flow(*flow, blow, at_ns)).collect();
        let met = Struck { listeners, flows };
        // Connections of a listener that was stopped may still be ending.
        let whom = Arc::new(if let Blow::Kill { .. } = blow { whom.clone() } else { met.clone() });
        let mut answers = Vec::new();
        for worker in self.workers() {
            let (done, answer) = oneshot::channel();
            // A worker that broke has told so.
            let _ = worker.send(Command::Strike(Arc::clone(&whom), blow, at_ns, done));
            answers.push(answer);
        }
        for (index, answer) in answers.into_iter().enumerate() {
            match tokio::time::timeout(ANSWER_LIMIT, answer).await {
                Err(_) => return Err(format!("traffic worker {index} did not answer within {ANSWER_LIMIT:?}")),
                Ok(Ok(false)) => return Err(format!("traffic worker {index} had not ended what was killed after {MOST_TURNS} turns")),
                // One that broke has told so.
                Ok(Ok(true) | Err(_)) => {}
            }
        }
        Ok(met)
    }

    /// Opens listeners again that were closed.
    ///
    /// # Errors
    /// A listener that cannot be opened.
    pub async fn open_again(&self, listeners: &[usize]) -> Result<(), TrafficError> {
        for listener in listeners {
            self.reopen(*listener).await?;
        }
        Ok(())
    }

    /// Listeners at which nobody answers now.
    #[must_use]
    pub fn silent(&self) -> Vec<usize> {
        let listeners = self.shared.listeners.iter().enumerate();
        let silent = listeners.filter(|(_, l)| !l.open.load(Ordering::SeqCst) || l.frozen.load(Ordering::SeqCst));
        silent.map(|(position, _)| position).collect()
    }

    fn meets_listener(&self, listener: usize, blow: Blow) -> bool {
        let standing = &self.shared.listeners[listener];
        match blow {
            Blow::Kill { silently } => {
                standing.silent.store(silently, Ordering::SeqCst);
                standing.frozen.store(false, Ordering::SeqCst);
                standing.life.fetch_add(1, Ordering::SeqCst);
                standing.open.swap(false, Ordering::SeqCst)
            }
            Blow::Freeze => standing.open.load(Ordering::SeqCst) && !standing.frozen.swap(true, Ordering::SeqCst),
            Blow::Thaw => standing.frozen.swap(false, Ordering::SeqCst),
        }
    }

    fn meets_flow(&self, flow: FlowId, blow: Blow, at_ns: i64) -> bool {
        let shared = &self.shared.flows[flow.index()];
        let mut starts = shared.starts();
        // One that only waits for its last answers has ended.
        let runs = starts.ongoing.iter().any(|start| start.until_ns > at_ns);
        match blow {
            Blow::Kill { .. } => {
                shared.frozen.store(false, Ordering::SeqCst);
                starts.ongoing.iter_mut().for_each(|start| start.until_ns = start.until_ns.min(at_ns));
                runs
            }
            Blow::Freeze => runs && !shared.frozen.swap(true, Ordering::SeqCst),
            Blow::Thaw => shared.frozen.swap(false, Ordering::SeqCst) && runs,
        }
    }
}

/// Strikes what a worker has of it, and answers when it is done; `false`: what was killed has not ended.
pub fn strike(worker: &Rc<Worker>, whom: Arc<Struck>, blow: Blow, at_ns: i64, done: oneshot::Sender<bool>) {
    let now = worker.pacer.now_ns();
    let members: Vec<Rc<Control>> = worker.members().into_iter().filter(|control| whom.holds(control.role)).collect();
    let runs: Vec<Rc<Run>> = worker.runs().into_iter().filter(|run| !run.over.get() && whom.flow(run.flow)).collect();
    match blow {
        Blow::Freeze => {
            members.iter().for_each(|control| control.freeze(now, thrown_away(control)));
            runs.iter().for_each(|run| run.freeze());
        }
        Blow::Thaw => {
            for control in &members {
                if let Some(limit_ns) = control.thaw(now, thrown_away(control)) {
                    worker.limit(control, limit_ns);
                }
            }
            runs.iter().for_each(|run| run.thaw(now));
        }
        Blow::Kill { silently } => {
            for control in &members {
                control.silent.set(silently);
                if let (true, Some(socket)) = (silently, control.socket.get()) {
                    silence(socket);
                }
                control.give(Order::Kill);
            }
            runs.iter().for_each(|run| run.kill(at_ns));
            let worker = Rc::clone(worker);
            tokio::task::spawn_local(async move {
                let _ = done.send(until_gone(&worker, &whom, &runs).await);
            });
            return;
        }
    }
    // Who asked may have gone.
    let _ = done.send(true);
}

/// Waits until the tasks that were killed have closed their sockets; `false`: they have not.
async fn until_gone(worker: &Worker, whom: &Struck, runs: &[Rc<Run>]) -> bool {
    for _ in 0..MOST_TURNS {
        // Once more when they are gone: the sockets of datagrams close in the turn after.
        tokio::task::yield_now().await;
        let lives = worker.members().iter().any(|control| control.is_killed() && whom.holds(control.role));
        if !lives && runs.iter().all(|run| run.over.get()) {
            tokio::task::yield_now().await;
            return true;
        }
    }
    false
}

/// Puts a TCP socket into repair mode: nobody hears of its end. Others end without a word anyway.
pub fn silence(socket: RawFd) {
    // SAFETY: the pointer and the length are those of a constant integer, which the kernel copies; a number that is no open TCP socket only
    // makes the call fail.
    let done = unsafe {
        let value: *const libc::c_int = &REPAIR_ON;
        libc::setsockopt(socket, libc::IPPROTO_TCP, libc::TCP_REPAIR, value.cast(), size_of::<libc::c_int>() as libc::socklen_t)
    };
    tracing::trace!(socket, done, "silenced");
}

/// What the kernel has thrown away at a task's socket.
fn thrown_away(control: &Control) -> u32 {
    control.socket.get().map_or(0, |socket| {
        // SAFETY: the socket is open: the task takes it out of its control before it closes it, on this same thread.
        datagram::thrown_away(unsafe { BorrowedFd::borrow_raw(socket) })
    })
}
