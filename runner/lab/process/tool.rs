//! Minds the two programs of a flow that a tool makes, from the runner's side: the server, which stands ready before the flow begins, and the
//! client, which lives as long as the flow. In: orders. Out: what both wrote and how they ended, once for each start. A task of the
//! programs' thread. Understands nothing of what they write.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use scn_grammar::scenario::{FlowId, NodeId};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::sync::oneshot;

use super::message::{FromGuard, Start, ToGuard};
use super::output::{self, Written};
use super::{Tools, talk};
use crate::plan::types::{Plan, PlannedFlow};
use crate::traffic::tools;

/// A server is ready within this time.
const READY_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A client that is told to end has so long for its report; then it is killed.
const CLIENT_GRACE: Duration = Duration::from_secs(2);
/// A server has so long to end after its client, and as long again when it is told to.
const SERVER_GRACE: Duration = Duration::from_secs(1);
/// A server that does not end by itself has received all when it has written nothing for so long.
const QUIET: Duration = Duration::from_millis(300);
/// When a program has ended, what it wrote is read for no longer.
const DRAIN_LIMIT: Duration = Duration::from_millis(500);
/// Bytes of one program's output that are kept.
const MOST_BYTES: usize = 64 << 20;

/// What a flow's tool is.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// The flow.
    pub(crate) flow: FlowId,
    /// The client.
    pub(crate) client: Part,
    /// The server; `None`: the lab starts none.
    pub(crate) server: Option<Server>,
    /// The client is told to end so long after its start.
    pub(crate) stop_after: Option<Duration>,
    /// It is prepared and starts once: a server that was ended meanwhile is not started again.
    pub(crate) once: bool,
}

impl Task {
    /// What a flow's tool is; `None`: no tool makes it. `serves`: where the lab starts its server.
    pub(crate) fn of(plan: &Plan, flow: &PlannedFlow, serves: Option<NodeId>) -> Option<Task> {
        let commands = tools::commands(flow, serves.is_some())?;
        let part = |node: NodeId, command: &tools::Command| Part::new(plan, node, &flow.name, command);
        let server = commands.server.as_ref().zip(serves).map(|(server, node)| Server {
            part: part(node, &server.command),
            port: flow.target.port(),
            udp: server.udp,
            ends: server.ends,
        });
        let stop_after = commands.stop_after_ns.map(Duration::from_nanos);
        Some(Task { flow: flow.id, client: part(flow.from, &commands.client), server, stop_after, once: false })
    }
}

/// One of its programs.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// Where it runs.
    pub(crate) node: NodeId,
    /// Its command line, for people.
    pub(crate) command: String,
    pub(super) start: Start,
}

/// The server's program.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// The program.
    pub(crate) part: Part,
    /// The port that it takes.
    pub(crate) port: u16,
    /// Of UDP, otherwise of TCP.
    pub(crate) udp: bool,
    /// It ends when its client does.
    pub(crate) ends: bool,
}

/// What a fault does to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Ends it at once; `true`: its peers hear nothing.
    Kill(bool),
    /// It stands still.
    Freeze,
    /// It goes on.
    Thaw,
    /// A signal, by its number.
    Signal(i32),
}

/// What a task can be told. What is answered is done.
pub(crate) enum Order {
    /// To start the server, or to say why it is not ready.
    Prepare(oneshot::Sender<Result<(), String>>),
    /// The flow starts.
    Start,
    /// It stops: the client is told to end.
    Stop,
    /// A fault of the client.
    Client(Deed, oneshot::Sender<()>),
    /// A fault of the server.
    Server(Deed, std::sync::mpsc::SyncSender<()>),
}

/// One program from its start to its end.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    /// Where it ran.
    pub(crate) node: NodeId,
    /// Its command line, for people.
    pub(crate) command: String,
    /// Before it was started.
    pub(crate) started: Instant,
    /// When nothing of it lived any more.
    pub(crate) ended: Instant,
    /// Its status; of a signal 128 and the signal's number.
    pub(crate) status: Option<i32>,
    /// When it was told to end.
    pub(crate) told: Option<Instant>,
    /// What it wrote: when it was read, whether to the error output, the line.
    pub(crate) lines: Vec<(Instant, bool, String)>,
    /// It wrote more than is kept.
    pub(crate) cut: bool,
}

/// One start of a flow.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    /// The flow.
    pub(crate) flow: FlowId,
    /// The client.
    pub(crate) client: Life,
    /// The server, if the lab started it.
    pub(crate) server: Option<Life>,
}

/// Where starts that have ended are put, and who is told.
#[derive(Clone)]
pub(crate) struct Ended {
    /// All of them, in the order of their ends.
    pub(crate) shelf: Arc<Mutex<Vec<Ran>>>,
    /// Hears of each.
    pub(crate) tell: Arc<dyn Fn(FlowId) + Send + Sync>,
    /// Hears when each client was started.
    pub(crate) began: Arc<dyn Fn(Instant) + Send + Sync>,
}

/// A program that runs.
struct Program {
    orders: OwnedWriteHalf,
    words: Receiver<FromGuard>,
    lines: Option<Receiver<Written>>,
    bytes: usize,
    /// Its guard is gone: what it wrote is read until then.
    drained_by: Option<tokio::time::Instant>,
    gone: bool,
    last_line: Instant,
    life: Life,
}

/// What comes of a program.
enum Step {
    /// Something that only matters to it.
    Nothing,
    /// The answer to the order before.
    Answer(FromGuard),
    /// Nothing of it lives any more, and all that it wrote is read.
    Over,
}

impl Program {
    fn start(tools: &Tools, part: &Part) -> Result<Program, String> {
        let started = Instant::now();
        let (orders, words, pipes) = tools.start(part.start.clone())?;
        let lines = Some(output::read(pipes.0, pipes.1).map_err(|cause| cause.to_string())?);
        let life = Life { ended: started, lines: Vec::new(), ..empty(part, started) };
        Ok(Program { orders, words, lines, bytes: 0, drained_by: None, gone: false, last_line: started, life })
    }

    /// Waits for what comes next. Dropping it loses nothing.
    async fn step(&mut self) -> Step {
        if self.gone {
            return std::future::pending().await;
        }
        if let Some(until) = self.drained_by {
            let line = match &mut self.lines {
                Some(lines) => tokio::time::timeout_at(until, lines.recv()).await.ok(),
                None => None,
            };
            self.gone = line.is_none();
            if let Some(line) = line {
                self.note(line);
            }
            return if self.gone { Step::Over } else { Step::Nothing };
        }
        let lines = &mut self.lines;
        let line = async {
            match lines {
                Some(lines) => lines.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            line = line => {
                self.note(line);
                Step::Nothing
            }
            word = self.words.recv() => match word {
                Some(FromGuard::Exited(status)) => {
                    self.life.status = Some(status);
                    Step::Nothing
                }
                Some(FromGuard::NotStarted(why)) => {
                    self.life.lines.push((Instant::now(), true, why));
                    self.over()
                }
                Some(FromGuard::Gone { .. }) | None => self.over(),
                Some(FromGuard::Started) => Step::Nothing,
                Some(answer) => Step::Answer(answer),
            },
        }
    }

    fn note(&mut self, line: Option<Written>) {
        let Some(line) = line else {
            self.lines = None;
            return;
        };
        self.last_line = line.at;
        self.bytes += line.text.len() + 1;
        if self.bytes > MOST_BYTES {
            self.life.cut = true;
        } else {
            self.life.lines.push((line.at, line.stream == scn_reports::record::process::Stream::Errors, line.text));
        }
    }

    /// Its guard is gone: the rest of its output is read.
    fn over(&mut self) -> Step {
        self.life.ended = Instant::now();
        self.drained_by = Some(tokio::time::Instant::now() + DRAIN_LIMIT);
        Step::Nothing
    }

    /// Tells its guard something and waits for the answer; `None`: it has ended.
    async fn ask(&mut self, order: ToGuard) -> Option<FromGuard> {
        if self.gone || talk::say(&mut self.orders, &order).await.is_err() {
            return None;
        }
        loop {
            match self.step().await {
                Step::Nothing => {}
                Step::Answer(answer) => return Some(answer),
                Step::Over => return None,
            }
        }
    }

    /// Ends it at once.
    async fn kill(&mut self, silently: bool) {
        while !self.gone {
            // Its end is its guard's last word; one that does not listen has said it.
            let _ = talk::say(&mut self.orders, &ToGuard::Kill { silently }).await;
            self.until_over().await;
        }
    }

    async fn until_over(&mut self) {
        while !self.gone && !matches!(self.step().await, Step::Over) {}
    }

    async fn suffer(&mut self, deed: Deed) {
        match deed {
            Deed::Kill(silently) => self.kill(silently).await,
            Deed::Freeze => drop(self.ask(ToGuard::Freeze).await),
            Deed::Thaw => drop(self.ask(ToGuard::Thaw).await),
            Deed::Signal(number) => drop(self.ask(ToGuard::Signal { number, stop: true }).await),
        }
    }

    /// Tells it to end as its user would.
    async fn tell_to_end(&mut self) {
        self.life.told.get_or_insert(Instant::now());
        self.suffer(Deed::Signal(libc::SIGINT)).await;
    }

    /// Waits for its end, for so long.
    async fn ends_within(&mut self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.until_over()).await.is_ok()
    }
}

/// A life that has not begun.
fn empty(part: &Part, at: Instant) -> Life {
    let (node, command) = (part.node, part.command.clone());
    Life { node, command, started: at, ended: at, status: None, told: None, lines: Vec::new(), cut: false }
}

/// The task's state.
pub(super) struct Minder {
    task: Task,
    tools: Tools,
    ended: Ended,
    server: Option<Program>,
    /// Starts that wait for the one that runs.
    again: u32,
}

impl Minder {
    pub(super) fn new(task: Task, tools: Tools, ended: Ended) -> Self {
        Minder { task, tools, ended, server: None, again: 0 }
    }

    /// Lives until nobody can tell it anything any more.
    pub(super) async fn mind(mut self, mut orders: UnboundedReceiver<Order>) {
        loop {
            if self.again > 0 {
                self.again -= 1;
                if !self.run(&mut orders).await {
                    return;
                }
                continue;
            }
            match orders.recv().await {
                None => return,
                Some(Order::Prepare(reply)) => drop(reply.send(self.ready().await)),
                Some(Order::Start) => self.again = 1,
                Some(Order::Stop) => {}
                Some(Order::Client(_, reply)) => drop(reply.send(())),
                Some(Order::Server(deed, reply)) => self.strike_server(deed, &reply).await,
            }
        }
    }

    async fn strike_server(&mut self, deed: Deed, reply: &std::sync::mpsc::SyncSender<()>) {
        if let Some(server) = &mut self.server {
            server.suffer(deed).await;
        }
        let _ = reply.send(());
    }

    /// Starts the server if it does not stand, and waits until it takes clients.
    async fn ready(&mut self) -> Result<(), String> {
        let Some(wanted) = &self.task.server else { return Ok(()) };
        if let Some(server) = &mut self.server
            && (server.ask(ToGuard::Usage).await.is_some())
        {
            return Ok(());
        }
        let server = self.server.insert(Program::start(&self.tools, &wanted.part)?);
        let any = std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
        let until = Instant::now() + READY_LIMIT;
        loop {
            let look = if wanted.udp { ToGuard::Bound(any, wanted.port) } else { ToGuard::Listening(wanted.port) };
            match server.ask(look).await {
                Some(FromGuard::Bound(true)) => return Ok(()),
                Some(_) if Instant::now() < until => tokio::time::sleep(LOOK_EVERY).await,
                Some(_) => return Err(format!("took no port {} within {READY_LIMIT:?}", wanted.port)),
                None => {
                    let said: Vec<&str> = server.life.lines.iter().rev().take(3).map(|(_, _, text)| text.trim()).collect();
                    let said = said.into_iter().rev().collect::<Vec<_>>().join(" / ");
                    let how = server.life.status.map_or_else(String::new, |status| format!(" with {}", super::minder::words_of(status)));
                    return Err(format!("ended{how} before it took port {}; it wrote: {said}", wanted.port));
                }
            }
        }
    }

    /// One start of the flow, to its end. False: nobody minds any more.
    async fn run(&mut self, orders: &mut UnboundedReceiver<Order>) -> bool {
        let began = Instant::now();
        let ready = if self.task.once { Ok(()) } else { self.ready().await };
        let client = match ready {
            Ok(()) => Program::start(&self.tools, &self.task.client),
            Err(why) => Err(format!("the server {why}")),
        };
        if let Ok(client) = &client {
            (self.ended.began)(client.life.started);
        }
        let client = match client {
            Ok(client) => client,
            Err(why) => {
                let mut life = Life { status: Some(1), ended: Instant::now(), ..empty(&self.task.client, began) };
                life.lines.push((life.ended, true, why));
                self.done(life, None);
                return true;
            }
        };
        let Some(client) = self.accompany(client, orders).await else { return false };
        let server = match self.server.take() {
            Some(server) => Some(self.end_server(server).await),
            None => None,
        };
        self.done(client, server);
        true
    }

    /// Minds the client until it has ended; `None`: nobody minds any more.
    async fn accompany(&mut self, mut client: Program, orders: &mut UnboundedReceiver<Order>) -> Option<Life> {
        let mut stop_at = self.task.stop_after.map(|after| client.life.started + after);
        let mut kill_at: Option<Instant> = None;
        while !client.gone {
            let due = [stop_at, kill_at].into_iter().flatten().min();
            let timer = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            let server = &mut self.server;
            let beside = async {
                match server {
                    Some(server) => server.step().await,
                    None => std::future::pending().await,
                }
            };
            let order = tokio::select! {
                _ = client.step() => continue,
                _ = beside => continue,
                () = timer => None,
                order = orders.recv() => Some(order?),
            };
            match order {
                None if kill_at.is_some_and(|at| at <= Instant::now()) => client.kill(false).await,
                None | Some(Order::Stop) => {
                    (stop_at, kill_at) = (None, Some(kill_at.unwrap_or_else(|| Instant::now() + CLIENT_GRACE)));
                    client.tell_to_end().await;
                }
                Some(Order::Prepare(reply)) => drop(reply.send(Ok(()))),
                Some(Order::Start) => self.again += 1,
                Some(Order::Client(deed, reply)) => {
                    client.suffer(deed).await;
                    let _ = reply.send(());
                }
                Some(Order::Server(deed, reply)) => self.strike_server(deed, &reply).await,
            }
        }
        Some(client.life)
    }

    /// The client has ended: so does the server, by itself or when it has received all.
    async fn end_server(&self, mut server: Program) -> Life {
        let by_itself = self.task.server.as_ref().is_some_and(|server| server.ends);
        if by_itself {
            server.ends_within(SERVER_GRACE).await;
        } else {
            let until = Instant::now() + SERVER_GRACE;
            while !server.gone && server.last_line.elapsed() < QUIET && Instant::now() < until {
                let _ = tokio::time::timeout(QUIET, server.step()).await;
            }
        }
        if !server.gone {
            server.tell_to_end().await;
            // What it has received is told by now: one that waits for clients need not be waited for.
            server.ends_within(if by_itself { SERVER_GRACE } else { QUIET }).await;
            server.kill(false).await;
        }
        server.life
    }

    fn done(&self, client: Life, server: Option<Life>) {
        let ran = Ran { flow: self.task.flow, client: self.hide(client), server: server.map(|life| self.hide(life)) };
        self.ended.shelf.lock().unwrap_or_else(PoisonError::into_inner).push(ran);
        (self.ended.tell)(self.task.flow);
    }

    /// No secret stands in what is kept.
    fn hide(&self, mut life: Life) -> Life {
        for (.., text) in &mut life.lines {
            *text = self.tools.secrets.mask(std::mem::take(text));
        }
        life
    }
}
