//! THE ONLY KERNEL ROOM: namespaces, links, faults, preflight, clean-up. In: a plan, then actions. Out: sockets in nodes, instants,
//! accounts. Everything hangs on descriptors and threads of this process: when it ends, however it ends, the kernel removes all. Programs
//! under test live in a PID namespace whose first process ends with this one.
//!
//! The order of calls: [`enter`] before any thread exists, [`preflight`], [`KernelLab::build`], then [`KernelLab::door`],
//! [`KernelLab::apply`] and [`KernelLab::accounts`] at will, [`KernelLab::destroy`]. [`keep`] comes before all of them. What
//! [`KernelLab::hold`] has noted can be entered from elsewhere by [`held::enter`] until it is destroyed.

mod addresses;
mod announce;
mod backlog;
mod bench;
mod build;
mod capture;
mod carriers;
mod counters;
mod doctor;
mod door;
mod effects;
mod enter;
mod error;
mod faults;
mod features;
mod furnish;
pub(crate) mod grid;
pub mod held;
mod impairments;
mod journal;
mod journal_undo;
mod kernel;
mod layout;
mod machine;
mod messages;
mod namespace;
mod needs;
mod neighbours;
mod netlink;
mod offload;
mod outside;
mod packet;
mod partitions;
mod preflight;
mod process;
mod routes;
mod shaping;
mod spans;
mod stacks;
mod sysctl;
mod tools;
mod vanished;
mod widths;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use regex::Regex;
use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::expect::{Metric, Subject};
use scn_grammar::scenario::text::Text;
use scn_grammar::scenario::timeline::Action;
use scn_reports::record::LinkAccount;
use scn_reports::record::capture::CaptureRecord;
use scn_reports::record::counted::{InterfaceRecord, LinkSample};
use scn_reports::record::process::{CommandRecord, ProcessRecord};

use self::bench::Keeper;
use self::capture::{Captures, Means};
use self::carriers::Carriers;
use self::counters::Counters;
use self::door::DoorKeeper;
use self::effects::Effects;
use self::faults::{Faults, Todo};
use self::held::Held;
use self::kernel::Kernel;
use self::layout::Layout;
use self::machine::Machine;
use self::outside::Outside;
use self::process::Programs;
use self::vanished::Vanished;
use self::wire::Wires;
use crate::emulate::Traces;
use crate::measure::{interfaces, links};
use crate::plan::types::Plan;

pub use self::backlog::Backlog;
pub use self::doctor::{Finding, State, doctor};
pub use self::door::Door;
pub use self::enter::{Privilege, enter};
pub use self::error::LabError;
pub use self::journal_undo::{Cleaned, clean};
pub use self::needs::unmet;
pub use self::preflight::preflight;
pub(crate) use self::process::{Fate, PORTS, Play, Player};
pub(crate) use self::process::{Life, Ran, read_secrets};
pub use self::process::{News, keep};
pub(crate) use self::tools::ToolFlows;

/// How often the timeline's beginning is counted anew because something crossed an interface in that instant.
const BEGINNINGS: usize = 4;

/// An action that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// When the lab was asked.
    pub asked: Instant,
    /// When the kernel had done it: for `up`, when both ends carried frames again; for addresses, when neighbours were told.
    pub done: Instant,
    /// What a reader should know: that it had no effect, for one.
    pub warnings: Vec<String>,
}

/// A network that stands.
pub struct KernelLab {
    programs: Option<Programs>,
    captures: Captures,
    keeper: Keeper,
    doors: DoorKeeper,
    wires: Option<Wires>,
    counters: Option<Counters>,
    kernel: Option<Kernel>,
    faults: Faults,
    vanished: Vanished,
    links: usize,
    /// Links that are silent, with what had crossed when it began.
    silent: BTreeMap<usize, u64>,
    effects: Effects,
    facts: Vec<(String, String)>,
    warnings: Vec<String>,
    /// Goes last: what was changed on the machine is undone when the network is gone.
    outside: Option<Outside>,
}

impl KernelLab {
    /// Makes the network of a plan; `progress` hears what is being made, `traces` are the files that impairments of the plan name. When it
    /// returns, every interface carries frames.
    ///
    /// # Errors
    /// The node or link where it failed, the kernel's words, what to do. Whatever had been made is gone then.
    pub fn build(plan: &Plan, traces: &Arc<Traces>, progress: &dyn Fn(&str)) -> Result<Self, LabError> {
        KernelLab::make(plan, traces, false, progress)
    }

    /// The same, and every node can be entered when it is held.
    ///
    /// # Errors
    /// As above.
    pub fn build_to_hold(plan: &Plan, traces: &Arc<Traces>, progress: &dyn Fn(&str)) -> Result<Self, LabError> {
        KernelLab::make(plan, traces, true, progress)
    }

    fn make(plan: &Plan, traces: &Arc<Traces>, to_hold: bool, progress: &dyn Fn(&str)) -> Result<Self, LabError> {
        let machine = Machine::look(plan)?;
        let layout = Layout::of(plan, &machine)?;
        let outside = Outside::begin(plan, &layout, &machine)?;
        let built = build::build(plan, &layout, outside.as_ref(), progress)?;
        let wires = spans::start(plan, &layout, traces, &built.namespaces)?;
        let kernel = kernel::start(plan, &layout, &built.namespaces)?;
        let (settings, warnings) = sysctl::summary(&built.settings);
        let congestion = built.settings.iter().take(plan.nodes.len()).map(|(_, settings)| settings.congestion_of_sockets()).collect();
        let mut facts = about_machine();
        facts.extend(wires.as_ref().map(|wires| ("wire threads".to_owned(), wires.scheduling.clone())));
        facts.extend(kernel.as_ref().and_then(Kernel::fact));
        facts.extend(settings);
        facts.extend(layout.on_machine.iter().map(|made| ("made on this machine".to_owned(), made.name.clone())));
        let keeper = Keeper::start(Arc::clone(&built.namespaces))?;
        let captures = Captures::new(plan, &layout);
        let counters = Counters::start(plan, &layout, &built.namespaces)?;
        let faults = Faults::new(plan, layout);
        progress("neighbours");
        let meeting = faults.meeting(plan);
        let unmet = keeper.call(|bench| bench.perform(meeting))??;
        let doors = DoorKeeper::start(Arc::clone(&built.namespaces), congestion)?;
        let programs = Programs::prepare(plan, &built.namespaces, doors.door(), to_hold)?;
        let of_programs = programs.iter().flat_map(|programs| programs.warnings().to_vec());
        let warnings = warnings.into_iter().chain(unmet).chain(of_programs).collect();
        Ok(KernelLab {
            programs,
            captures,
            keeper,
            doors,
            wires,
            counters,
            kernel,
            faults,
            vanished: Vanished::default(),
            links: plan.links.len(),
            silent: BTreeMap::new(),
            effects: Effects::default(),
            facts,
            warnings,
            outside,
        })
    }

    /// Through it come sockets. It may be cloned and outlive the lab; it then answers with errors.
    #[must_use]
    pub fn door(&self) -> Door {
        self.doors.door().with(self.programs.as_ref().and_then(Programs::resolver))
    }

    /// What a reader should know about the building: settings that the kernel lacks or refused, neighbours that were not found.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The timeline is about to begin: what the kernel has counted so far is none of it. Takes some ms, so it comes before
    /// [`KernelLab::begin`].
    ///
    /// # Errors
    /// When the kernel does not tell its counters.
    pub fn count_anew(&self) -> Result<(), LabError> {
        self.kernel.iter().try_for_each(Kernel::count_anew)
    }

    /// The timeline begins at an instant: wires and interfaces count from there.
    ///
    /// # Errors
    /// When a pump does not answer.
    pub fn begin(&self, at: Instant) -> Result<(), LabError> {
        // They are read one after the other: a packet in between would be in the counts of one of them only. Kernels announce
        // themselves at random in a network's first second.
        for _ in 0..BEGINNINGS {
            self.counters.iter().for_each(|counters| counters.begin(at));
            let Some(wires) = &self.wires else { break };
            wires.begin(at)?;
            if self.counters.as_ref().is_none_or(Counters::at_rest) && wires.at_rest()? {
                break;
            }
        }
        Ok(())
    }

    fn carriers(&self) -> Carriers<'_> {
        Carriers { wires: self.wires.as_ref(), kernel: self.kernel.as_ref() }
    }

    /// Takes a sample of all links and interfaces that the plan's conditions speak of.
    pub fn look(&self) {
        self.wires.iter().for_each(Wires::look);
        self.counters.iter().for_each(Counters::look);
    }

    /// A counter, a gauge or a truth (1 or 0) at this moment, since the timeline's start; of a text whether it matches. `None`: it is not
    /// known, or needs a stretch of time.
    #[must_use]
    pub fn value(&self, plan: &Plan, metric: &Metric, regex: Option<&Regex>) -> Option<f64> {
        match &metric.subject {
            Subject::Link(link) => links::at_moment(metric, &self.wires.as_ref()?.counted(link.index())?),
            Subject::Interface(node, name) => interfaces::at_moment(metric, &self.counters.as_ref()?.counted(*node, name)?),
            Subject::Process(_) | Subject::Output(_) => self.programs.as_ref()?.value(plan, metric, regex),
            Subject::Flow(_) | Subject::Stress(_) => None,
        }
    }

    /// What was counted of interfaces.
    #[must_use]
    pub fn interfaces(&self) -> Vec<InterfaceRecord> {
        self.counters.as_ref().map(Counters::report).unwrap_or_default()
    }

    /// What was counted of links over time, in the plan's order; nothing of those that nobody asks for.
    #[must_use]
    pub fn samples(&self) -> Vec<Vec<LinkSample>> {
        (0..self.links).map(|link| self.wires.as_ref().map_or_else(Vec::new, |wires| wires.samples(link))).collect()
    }

    /// Does a fault, ends one, or changes addresses and routes. Blocks until it is done: some 0.1 to 10 ms.
    ///
    /// # Errors
    /// What could not be done, where, and why. Actions that are not the lab's are refused.
    pub fn apply(&mut self, action: &Action) -> Result<Done, LabError> {
        let asked = Instant::now();
        if let Action::Capture { targets, to } = action {
            self.captures.begin(Means { wires: self.wires.as_ref(), keeper: &self.keeper }, targets, to);
            return Ok(Done { asked, done: Instant::now(), warnings: Vec::new() });
        }
        let name = |node: NodeId| self.faults.node_name(node.index());
        let steps = self.vanished.plan(action, &name);
        if !steps.is_empty() {
            self.keeper.call(|bench| bench.perform(steps))??;
        }
        if let Some(told) = self.programs.as_ref().and_then(|programs| programs.apply(action)) {
            return Ok(Done { asked, warnings: told?, done: Instant::now() });
        }
        if vanished::is_of_nodes(action) {
            // Nothing under test runs there.
            return Ok(Done { asked, warnings: Vec::new(), done: Instant::now() });
        }
        let todo = self.faults.plan(action)?;
        self.carry_out(asked, action, false, todo)
    }

    /// Undoes an action whose undoing hangs on what was before it; `None`: it is not of that sort, another action undoes it.
    ///
    /// # Errors
    /// What could not be done, where, and why.
    pub fn undo(&mut self, action: &Action) -> Result<Option<Done>, LabError> {
        let asked = Instant::now();
        if let Action::Capture { to, .. } = action {
            self.captures.end(Means { wires: self.wires.as_ref(), keeper: &self.keeper }, to);
            return Ok(Some(Done { asked, done: Instant::now(), warnings: Vec::new() }));
        }
        let todo = match action {
            Action::Route { nodes, to, via } => self.faults.unroute(nodes, *to, *via)?,
            _ => match self.faults.unshape(action) {
                Some(todo) => todo?,
                None => return Ok(None),
            },
        };
        self.carry_out(asked, action, true, todo).map(Some)
    }

    fn carry_out(&mut self, asked: Instant, action: &Action, undone: bool, todo: Todo) -> Result<Done, LabError> {
        let Todo { cuts, ways, barriers, meets, steps, silenced, unsilenced, mut warnings } = todo;
        for link in silenced {
            let crossed = self.crossed(link)?;
            self.silent.insert(link, crossed);
        }
        let carriers = Carriers { wires: self.wires.as_ref(), kernel: self.kernel.as_ref() };
        let changed: Vec<(usize, usize)> = ways.iter().map(|way| (way.link, way.end)).collect();
        warnings.extend(self.effects.end(carriers, action, undone, &changed)?);
        if !meets.is_empty() && !undone {
            let links: Vec<&str> = meets.iter().map(|link| self.faults.link_name(*link)).collect();
            let (words, on) = match action {
                Action::Partition(_) => ("a partition".to_owned(), meets.iter().flat_map(|link| [(*link, 0), (*link, 1)]).collect()),
                _ => (format!("impair of {}", links.join(", ")), changed),
            };
            self.effects.begin(carriers, action, on, words)?;
        }
        cuts.into_iter().try_for_each(|(link, cut)| carriers.set_cut(link, cut))?;
        ways.into_iter().try_for_each(|way| carriers.set(way))?;
        barriers.into_iter().try_for_each(|(link, barriers)| carriers.set_barriers(link, barriers))?;
        let told = if steps.is_empty() { Vec::new() } else { self.keeper.call(|bench| bench.perform(steps))?? };
        let done = Instant::now();
        warnings.extend(told);
        for link in unsilenced {
            warnings.extend(self.without_effect(link)?);
            self.silent.remove(&link);
        }
        Ok(Done { asked, done, warnings })
    }

    /// Captures are written to files in this folder, which is made when the first begins; without it, in the current one.
    pub fn capture_into(&mut self, folder: PathBuf) {
        self.captures.folder = folder;
    }

    /// Captures every link from now on, each to a file of its own, of which the last part is kept where there is too much.
    pub fn capture_whole(&mut self) {
        self.captures.begin_whole(Means { wires: self.wires.as_ref(), keeper: &self.keeper });
    }

    /// Ends all captures. Out: their records; `ns` tells an instant on the run's clock.
    pub fn finish_captures(&mut self, ns: &dyn Fn(Instant) -> i64) -> Vec<CaptureRecord> {
        self.captures.finish(Means { wires: self.wires.as_ref(), keeper: &self.keeper }, ns)
    }

    /// Starts the programs under test and waits until all are ready.
    ///
    /// # Errors
    /// The first that could not be started or was not ready in time, with its words.
    pub async fn begin_programs(&self) -> Result<(), LabError> {
        match &self.programs {
            Some(programs) => programs.begin().await,
            None => Ok(()),
        }
    }

    /// Begins the command of an entry of the timeline; its end will be news.
    pub fn command(&self, plan: &Plan, entry: usize, node: NodeId, command: &Text) {
        if let Some(programs) = &self.programs {
            programs.command(plan, entry, node, command);
        }
    }

    /// The next thing that programs and commands did unasked; pending while there is none. Dropping it loses nothing.
    pub async fn news(&mut self) -> News {
        match &mut self.programs {
            Some(programs) => programs.news().await,
            None => std::future::pending().await,
        }
    }

    /// Stops the programs in good order. Out: what they and the commands left behind; `ns` tells an instant on the run's clock.
    pub async fn finish_programs(&self, plan: &Plan, ns: &dyn Fn(Instant) -> i64) -> (Vec<ProcessRecord>, Vec<CommandRecord>) {
        match &self.programs {
            Some(programs) => programs.finish().await.record(plan, ns),
            None => (Vec::new(), Vec::new()),
        }
    }

    /// What programs and commands leave behind so far, as with [`KernelLab::finish_programs`]; they go on.
    pub async fn programs_so_far(&self, plan: &Plan, ns: &dyn Fn(Instant) -> i64) -> (Vec<ProcessRecord>, Vec<CommandRecord>) {
        match &self.programs {
            Some(programs) => programs.so_far().await.record(plan, ns),
            None => (Vec::new(), Vec::new()),
        }
    }

    /// Notes where others of this user find the nodes, until what comes out is dropped.
    ///
    /// # Errors
    /// When it cannot be written down, or the lab was not built to be held.
    pub fn hold(&self, plan: &Plan) -> Result<Held, LabError> {
        let unfit = || LabError::Plan { what: "the lab was not built to be held".to_owned() };
        let rooms = self.programs.as_ref().map(Programs::rooms).ok_or_else(unfit)?;
        let nodes = rooms.of.iter().map(|(node, numbers)| (plan.nodes[*node].name.clone(), *numbers));
        Held::note(&plan.scenario, rooms.process, nodes.collect())
            .map_err(|cause| LabError::system("the lab that is held", "note where it is found", &cause))
    }

    /// Silences, partitions and impairments that still last and that nothing has met so far, as warnings.
    ///
    /// # Errors
    /// When the kernel does not tell its counters.
    pub fn effects(&mut self) -> Result<Vec<String>, LabError> {
        let links: Vec<usize> = self.silent.keys().copied().collect();
        let found: Result<Vec<Option<String>>, LabError> = links.into_iter().map(|link| self.without_effect(link)).collect();
        let mut idle: Vec<String> = found?.into_iter().flatten().collect();
        idle.extend(self.effects.idle(self.carriers())?);
        Ok(idle)
    }

    /// What a silence has met so far: frames that a wire's cut took, or that came to a port that leads nowhere.
    fn crossed(&self, link: usize) -> Result<u64, LabError> {
        if self.faults.is_carried(link) {
            return self.carriers().met(link);
        }
        let places = self.faults.counted_at(link);
        let count = move |bench: &mut bench::Bench| places.iter().map(|(slot, index)| bench.received(*slot, *index)).sum();
        self.keeper.call(count)?
    }

    /// The warning about a silence that met nothing.
    fn without_effect(&self, link: usize) -> Result<Option<String>, LabError> {
        let Some(before) = self.silent.get(&link) else { return Ok(None) };
        let idle = self.crossed(link)? == *before;
        Ok(idle.then(|| format!("silence of link {} had no effect: nothing came to cross it", self.faults.link_name(link))))
    }

    /// The account of every link, in the plan's order; `None` for plain links.
    #[must_use]
    pub fn accounts(&self) -> Vec<Option<LinkAccount>> {
        (0..self.links).map(|link| self.carriers().account(link)).collect()
    }

    /// What broke in the lab that no action did; the cause comes with [`KernelLab::destroy`].
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let broken = self.wires.as_ref().is_some_and(Wires::is_broken);
        broken.then(|| "the thread that carries the delayed links ended: a fault of scn or of the machine".to_owned())
    }

    /// Facts for the record: kernel, cores, privilege, and every setting of the nodes.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        self.facts.clone()
    }

    /// Takes it all down. Out: whatever went wrong on the way; everything is gone nonetheless. Dropping the lab does the same.
    #[must_use]
    pub fn destroy(mut self) -> Vec<LabError> {
        let pump = self.wires.as_mut().map_or(Ok(()), Wires::stop);
        let kernel = self.kernel.as_mut().map_or(Ok(()), Kernel::stop);
        let programs = self.programs.as_mut().map_or(Ok(()), Programs::stop);
        let counters = self.counters.as_mut().map_or(Ok(()), Counters::stop);
        let mut wrong: Vec<LabError> =
            [programs, pump, kernel, counters, self.doors.stop(), self.keeper.stop()].into_iter().filter_map(Result::err).collect();
        wrong.extend(self.outside.as_mut().map(Outside::end).into_iter().flatten());
        wrong
    }
}

/// What the machine is.
fn about_machine() -> Vec<(String, String)> {
    let kernel = nix::sys::utsname::uname().map(|name| name.release().to_string_lossy().into_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    vec![
        ("kernel".to_owned(), kernel.unwrap_or_else(|_| "unknown".to_owned())),
        ("cores".to_owned(), cores.to_string()),
        ("privilege".to_owned(), enter::current().words().to_owned()),
    ]
}
