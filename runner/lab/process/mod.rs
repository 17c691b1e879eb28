//! Programs under test and commands, in the nodes of a lab. In: a plan, then actions. Out: what became of them, news, records. All of them
//! live in a PID namespace whose first process dies with the runner, so none outlives it.
//!
//! | process or task | what it does |
//! | --- | --- |
//! | `keeper`, the namespace's first process | furnishes a `room` for each node, starts guards |
//! | `guard`, one a program | starts it in its room, signals all its processes, tells their end |
//! | `minder`, a task for each program, on one thread of the runner | orders, readiness, output, report |
//! | `tool`, a task for each flow that a tool makes, on the same thread | its client and its server |
//! | `lookup`, a process for each name that a flow goes to | asks the resolver in its node |
//! | `stream`, a task for each stream of a stress that a tool makes | the same, on a port that it looks for |

mod birth;
mod command;
mod guard;
mod keeper;
mod lookup;
mod message;
mod minder;
mod now;
mod output;
mod probe;
mod report;
mod room;
mod search;
mod spec;
mod stream;
mod talk;
mod tool;
mod tree;
mod vanish;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::text::Text;
use scn_grammar::scenario::timeline::{Action, Copies, Victim};
use scn_reports::record::EventKind;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender, WeakUnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use self::birth::Keeper;
use self::command::Shelf;
use self::message::{FromGuard, Start};
use self::minder::{Answer, Minder, Order, Reply};
use self::spec::Copy;
use self::stream::AllServers;
use super::door::Door;
use super::error::LabError;
use super::namespace::Namespace;
use crate::plan::types::Plan;
use crate::traffic::secrets::Secrets;

pub use self::keeper::keep;
pub(crate) use self::lookup::Query;
pub(crate) use self::message::Numbers;
pub(crate) use self::report::Report;
pub(crate) use self::search::path as search_path;
pub(crate) use self::search::{check, find};
pub(crate) use self::spec::{plain, read_secrets};
pub(crate) use self::stream::{Fate, PORTS, Play};
pub(crate) use self::tool::{Deed, Ended, Life, Order as ToolOrder, Ran, Task};

/// Programs answer an order within this time: killing all processes of one takes no longer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// What nobody asked for at that moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Something happened to a program.
    Happened {
        /// When.
        at: Instant,
        /// What: `lb on edge ended with status 0`.
        text: String,
        /// What sort of thing.
        kind: EventKind,
    },
    /// The command of this entry of the timeline has ended.
    Ended(usize),
    /// The run is broken: a program ended unasked, for one.
    Broken(String),
}

/// What tasks work with.
#[derive(Clone)]
struct Tools {
    keeper: Arc<Mutex<Keeper>>,
    door: Door,
    secrets: Secrets,
    news: UnboundedSender<News>,
}

impl Tools {
    /// Starts a program's guard. Out: its socket, its words, the program's output and error output.
    #[expect(clippy::type_complexity, reason = "four ends, taken apart at once")]
    fn start(&self, start: Start) -> Result<(OwnedWriteHalf, Receiver<FromGuard>, (OwnedFd, OwnedFd)), String> {
        let guard = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).start(start)?;
        let (orders, words) = talk::listen(guard.socket).map_err(|cause| cause.to_string())?;
        Ok((orders, words, (guard.output, guard.errors)))
    }

    /// Has a name looked up in a node, or on this machine itself. Out: the socket for the answer.
    fn look_up(&self, node: Option<usize>, name: &str, limit_s: u32) -> Result<UnixStream, String> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner).look_up(node, name, limit_s)
    }
}

/// Where the surroundings of nodes are: descriptors of the run's first process, by nodes.
#[derive(Debug, Clone)]
pub(crate) struct Rooms {
    /// That process.
    pub(crate) process: i32,
    /// The nodes that have any.
    pub(crate) of: BTreeMap<usize, Numbers>,
}

/// Work for the tasks.
enum Job {
    /// A command to run: its entry, its node, what is started.
    Command(usize, usize, Start),
    /// A flow's tool to mind.
    Tool(Box<Task>, UnboundedReceiver<ToolOrder>, Ended),
    /// A name to look up.
    LookUp(Query, oneshot::Sender<io::Result<Vec<IpAddr>>>),
    /// A stream of a tool to play, until it is told to stop.
    Stream(Box<Play>, oneshot::Receiver<()>),
}

/// Looks names up in the nodes of a lab. It may outlive the lab; it then answers with errors.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    // Who only looks names up does not keep the programs' thread alive.
    jobs: WeakUnboundedSender<Job>,
}

impl Resolver {
    /// Asks for the addresses of a name.
    pub(crate) async fn look_up(&self, query: Query) -> io::Result<Vec<IpAddr>> {
        let closed = || io::Error::new(io::ErrorKind::NotConnected, "the lab is closed");
        let (answer, answered) = oneshot::channel();
        self.jobs.upgrade().and_then(|jobs| jobs.send(Job::LookUp(query, answer)).ok()).ok_or_else(closed)?;
        answered.await.map_err(|_| closed())?
    }
}

/// Plays streams that tools make, for as long as the programs' thread lives.
#[derive(Clone)]
pub(crate) struct Player(WeakUnboundedSender<Job>);

impl Player {
    /// Plays a stream. Out: what stops it when it is sent or dropped.
    pub(crate) fn play(&self, stream: Play) -> oneshot::Sender<()> {
        let (stop, stopped) = oneshot::channel();
        if let Some(jobs) = self.0.upgrade() {
            let _ = jobs.send(Job::Stream(Box::new(stream), stopped));
        }
        stop
    }
}

/// The programs of a lab.
pub(crate) struct Programs {
    copies: Vec<(Copy, UnboundedSender<Order>)>,
    commands: Shelf,
    jobs: Option<UnboundedSender<Job>>,
    news: UnboundedReceiver<News>,
    thread: Option<JoinHandle<Result<(), String>>>,
    secrets: Secrets,
    rooms: Rooms,
    warnings: Vec<String>,
    /// Servers of tools.
    servers: AllServers,
}

impl Programs {
    /// Makes what the programs of a plan live in; none is started yet. `everywhere`: in nodes without programs too, for others to enter.
    /// `None`: nothing will be in any node.
    pub(super) fn prepare(plan: &Plan, namespaces: &Arc<Vec<Namespace>>, door: Door, everywhere: bool) -> Result<Option<Self>, LabError> {
        let mut nodes = spec::nodes(plan);
        if everywhere {
            nodes.extend(spec::all_nodes(plan));
        }
        if nodes.is_empty() && !spec::looks_names_up(plan) {
            return Ok(None);
        }
        let secrets = read_secrets(plan)?;
        let copies = spec::copies(plan, &secrets)?;
        let (jobs, todo) = unbounded_channel();
        let (tell, news) = unbounded_channel();
        let (mut handles, mut minders) = (Vec::new(), Vec::new());
        for copy in copies {
            let (orders, heard) = unbounded_channel();
            minders.push((copy.clone(), heard));
            handles.push((copy, orders));
        }
        let (commands, servers) = (Shelf::default(), AllServers::default());
        let at_servers = Arc::clone(&servers);
        let rooms: Vec<(usize, String)> = nodes.iter().map(|node| (node.index(), plan.nodes[node.index()].name.clone())).collect();
        let furnished: BTreeSet<usize> = nodes.iter().map(|node| node.index()).collect();
        let (begun, answer) = sync_channel(1);
        let (namespaces, hosts, shelf, hidden) = (Arc::clone(namespaces), spec::hosts(plan), Arc::clone(&commands), secrets.clone());
        let work = move || {
            let made = make_rooms(&namespaces, &rooms, &hosts);
            // The namespaces of nodes go when the lab goes, not when this thread does.
            drop(namespaces);
            let keeper = match made {
                Ok((keeper, rooms, warnings)) => {
                    let _ = begun.send(Ok((rooms, warnings)));
                    Arc::new(Mutex::new(keeper))
                }
                Err(error) => {
                    let _ = begun.send(Err(error));
                    return Ok(());
                }
            };
            let tools = Tools { keeper: Arc::clone(&keeper), door, secrets: hidden, news: tell };
            let served = serve(tools, minders, todo, (&shelf, &at_servers), &furnished);
            served.and(keeper.lock().unwrap_or_else(PoisonError::into_inner).let_go())
        };
        let thread = std::thread::Builder::new().name("scn-programs".to_owned()).spawn(work);
        let thread = thread.map_err(|cause| LabError::system("programs", "start their thread", &cause))?;
        let closed = || LabError::Closed { thread: "programs".to_owned(), why: "It panicked (a bug in scn)".to_owned() };
        let (rooms, warnings) = answer.recv().map_err(|_| closed())??;
        let thread = Some(thread);
        Ok(Some(Programs { copies: handles, commands, jobs: Some(jobs), news, thread, secrets, rooms, warnings, servers }))
    }

    /// What a reader should know about the nodes' surroundings.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Looks names up in the nodes.
    pub(super) fn resolver(&self) -> Option<Resolver> {
        self.jobs.as_ref().map(|jobs| Resolver { jobs: jobs.downgrade() })
    }

    /// Where others find the nodes.
    pub(super) fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// Starts every program and waits until all are ready, or one cannot be.
    pub(crate) async fn begin(&self) -> Result<(), LabError> {
        let mut starting = Vec::new();
        for (copy, orders) in &self.copies {
            let (tell, told) = oneshot::channel();
            let reply: Reply = Box::new(move |answer| drop(tell.send(answer)));
            let _ = orders.send(Order::Start { until_ready: true, reply });
            starting.push(async move {
                let answer: Answer = told.await.unwrap_or_else(|_| Err("is minded by nobody any more (a bug in scn)".to_owned()));
                answer.map(drop).map_err(|why| LabError::Program { process: copy.name.clone(), node: copy.on.clone(), why })
            });
        }
        futures_util::future::try_join_all(starting).await.map(drop)
    }

    /// Does an action on programs. `None`: it is none.
    pub(super) fn apply(&self, action: &Action) -> Option<Result<Vec<String>, LabError>> {
        let start = |reply| Order::Start { until_ready: false, reply };
        self.strike_servers(action);
        Some(match action {
            Action::StartProcess(copies) => self.order(&self.of_copies(copies), start),
            Action::StopProcess(copies) => self.order(&self.of_copies(copies), Order::Stop),
            Action::Kill(victims) => self.order(&self.of_victims(victims), |reply| Order::Kill { silently: false, reply }),
            Action::Vanish(nodes) => {
                let victims: Vec<Victim> = nodes.iter().map(|node| Victim::Node(*node)).collect();
                self.order(&self.of_victims(&victims), |reply| Order::Kill { silently: true, reply })
            }
            Action::Signal { to, signal } => self.order(&self.of_victims(to), |reply| Order::Signal(*signal, reply)),
            Action::Freeze(victims) => self.order(&self.of_victims(victims), Order::Freeze),
            Action::Thaw(victims) => self.order(&self.of_victims(victims), Order::Thaw),
            Action::Restart(victims) => self.order(&self.of_victims(victims), Order::Restart),
            _ => return None,
        })
    }

    fn of_copies(&self, copies: &[Copies]) -> Vec<usize> {
        let named = |copy: &Copy| copies.iter().any(|copies| copies.process == copy.process && copies.nodes.contains(&copy.node));
        (0..self.copies.len()).filter(|at| named(&self.copies[*at].0)).collect()
    }

    fn of_victims(&self, victims: &[Victim]) -> Vec<usize> {
        let struck = |copy: &Copy| {
            victims.iter().any(|victim| match victim {
                Victim::Process(copies) => copies.process == copy.process && copies.nodes.contains(&copy.node),
                Victim::Node(node) => *node == copy.node,
                Victim::Service(..) => false,
            })
        };
        (0..self.copies.len()).filter(|at| struck(&self.copies[*at].0)).collect()
    }

    /// Tells some copies the same and waits for all their answers.
    fn order(&self, which: &[usize], order: impl Fn(Reply) -> Order) -> Result<Vec<String>, LabError> {
        let mut answers = Vec::with_capacity(which.len());
        for at in which {
            let (tell, told) = sync_channel(1);
            let _ = self.copies[*at].1.send(order(Box::new(move |answer| drop(tell.send(answer)))));
            answers.push((&self.copies[*at].0, told));
        }
        let until = Instant::now() + ANSWER_LIMIT;
        let mut warnings = Vec::new();
        for (copy, told) in answers {
            let answer: Answer = told.recv_timeout(until.saturating_duration_since(Instant::now())).unwrap_or_else(|error| {
                Err(match error {
                    RecvTimeoutError::Timeout => format!("did not answer within {} s", ANSWER_LIMIT.as_secs()),
                    RecvTimeoutError::Disconnected => "is minded by nobody any more".to_owned(),
                })
            });
            warnings.extend(answer.map_err(|why| LabError::Program { process: copy.name.clone(), node: copy.on.clone(), why })?);
        }
        Ok(warnings)
    }

    /// Begins a command of the timeline; its end will be news.
    pub(crate) fn command(&self, plan: &Plan, entry: usize, node: NodeId, command: &Text) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(Job::Command(entry, node.index(), spec::command(plan, &self.secrets, node, command)));
        }
    }

    /// Minds a flow's tool. Out: where its orders go.
    pub(crate) fn tool(&self, task: Task, ended: Ended) -> UnboundedSender<ToolOrder> {
        let (orders, heard) = unbounded_channel();
        if let Some(server) = &task.server {
            stream::open(&self.servers).add(server.part.node, &orders);
        }
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(Job::Tool(Box::new(task), heard, ended));
        }
        orders
    }

    /// Who plays streams that tools make.
    pub(crate) fn player(&self) -> Option<Player> {
        self.jobs.as_ref().map(|jobs| Player(jobs.downgrade()))
    }

    /// Strikes the servers of tools on nodes. Clients are struck with their flows.
    fn strike_servers(&self, action: &Action) {
        let (deed, victims) = match action {
            Action::Kill(victims) | Action::Restart(victims) => (Deed::Kill(false), victims.clone()),
            Action::Vanish(nodes) => (Deed::Kill(true), nodes.iter().map(|node| Victim::Node(*node)).collect()),
            Action::Freeze(victims) => (Deed::Freeze, victims.clone()),
            Action::Thaw(victims) => (Deed::Thaw, victims.clone()),
            Action::Signal { to, signal } => (Deed::Signal(spec::number(*signal)), to.clone()),
            _ => return,
        };
        let node = |victim: &Victim| match victim {
            Victim::Node(node) => Some(*node),
            Victim::Process(_) | Victim::Service(..) => None,
        };
        let nodes: Vec<NodeId> = victims.iter().filter_map(node).collect();
        let mut answers = Vec::new();
        for orders in stream::open(&self.servers).strike(&nodes, deed, matches!(action, Action::Restart(_))) {
            let (tell, told) = sync_channel(1);
            let _ = orders.send(ToolOrder::Server(deed, tell));
            answers.push(told);
        }
        let until = Instant::now() + ANSWER_LIMIT;
        for told in answers {
            // One that does not answer has nobody to mind it any more.
            let _ = told.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
    }

    /// The next news; pending while there is none. Dropping it loses nothing.
    pub(crate) async fn news(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }

    /// Stops every program in good order. Out: what all of them and the commands left behind.
    pub(crate) async fn finish(&self) -> Report {
        let mut report = self.ask_all(Order::Finish).await;
        report.commands = std::mem::take(&mut *command::lock(&self.commands));
        report
    }

    /// What all of them and the commands leave behind so far; they go on.
    pub(crate) async fn so_far(&self) -> Report {
        let mut report = self.ask_all(Order::Tell).await;
        report.commands = command::lock(&self.commands).clone();
        report
    }

    async fn ask_all(&self, order: impl Fn(oneshot::Sender<minder::Report>) -> Order) -> Report {
        let mut reports = Vec::new();
        for (copy, orders) in &self.copies {
            let (tell, told) = oneshot::channel();
            let _ = orders.send(order(tell));
            reports.push((copy.clone(), told));
        }
        let mut report = Report::default();
        for (copy, told) in reports {
            report.copies.push((copy, told.await.unwrap_or_default()));
        }
        report
    }

    /// Ends everything that still runs.
    pub(super) fn stop(&mut self) -> Result<(), LabError> {
        self.jobs = None;
        let closed = |why: String| LabError::Closed { thread: "programs".to_owned(), why };
        match self.thread.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(why))) => Err(closed(why)),
            Some(Err(_)) => Err(closed("It panicked (a bug in scn)".to_owned())),
        }
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// Tries whether programs can be run here: starts the first process of their namespace, and ends it.
pub(crate) fn try_out() -> Result<(), String> {
    Keeper::born().map_err(|cause| cause.to_string())?.let_go()
}

/// The first process of the run, with a room for each node that needs one, and warnings.
fn make_rooms(namespaces: &[Namespace], rooms: &[(usize, String)], hosts: &str) -> Result<(Keeper, Rooms, Vec<String>), LabError> {
    let born = Keeper::born();
    let mut keeper = born.map_err(|cause| LabError::system("programs", "start the first process of their namespace", &cause))?;
    let (mut furnished, mut warnings) = (BTreeMap::new(), Vec::new());
    for (node, name) in rooms {
        let made = keeper.room(*node, &spec::plain(name), hosts, namespaces[*node].fd());
        let (told, numbers) = made.map_err(|why| LabError::system(name.as_str(), "make room for programs", &std::io::Error::other(why)))?;
        furnished.insert(*node, numbers);
        warnings.extend(told.into_iter().filter(|warning| !warnings.contains(warning)).collect::<Vec<_>>());
    }
    let rooms = Rooms { process: keeper.process(), of: furnished };
    Ok((keeper, rooms, warnings))
}

/// Runs the tasks until nobody has a job to give any more.
fn serve(
    tools: Tools,
    minders: Vec<(Copy, UnboundedReceiver<Order>)>,
    mut jobs: UnboundedReceiver<Job>,
    (shelf, servers): (&Shelf, &AllServers),
    furnished: &BTreeSet<usize>,
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|cause| cause.to_string())?;
    runtime.block_on(async {
        for (copy, orders) in minders {
            tokio::spawn(Minder::new(copy, tools.clone()).mind(orders));
        }
        while let Some(job) = jobs.recv().await {
            match job {
                Job::Command(entry, node, start) => {
                    command::lock(shelf).insert(entry, command::Ran::begun(node));
                    tokio::spawn(command::carry_out(tools.clone(), Arc::clone(shelf), entry, start));
                }
                Job::LookUp(query, answer) => {
                    let (tools, here) = (tools.clone(), !furnished.contains(&query.node.index()));
                    tokio::spawn(async move {
                        // Who asked may have gone.
                        let _ = answer.send(lookup::ask(&tools, &query, here).await);
                    });
                }
                Job::Stream(stream, stop) => _ = tokio::spawn(stream::play(tools.clone(), Arc::clone(servers), stream, stop)),
                Job::Tool(task, orders, ended) => _ = tokio::spawn(tool::Minder::new(*task, tools.clone(), ended).mind(orders)),
            }
        }
    });
    Ok(())
}
