//! One run, whole: preflight, build, prepare, the timeline, collect, take down, record, judge. In: a plan and its source text. Out: a
//! judged record, or why there is none. Whatever was made is taken down on every way out.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use regex::Regex;
use scn_grammar::scenario::expect::Metric;
use scn_grammar::scenario::text::Text;
use scn_grammar::scenario::timeline::Action;
use scn_grammar::scenario::{FlowId, NodeId, ServiceId, StressId};
use scn_grammar::source::Sources;
use scn_reports::record::capture::CaptureRecord;
use scn_reports::record::{Ended, RunRecord, Verdict};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::time::Instant;

use super::clock::Clock;
use super::hold::Hold;
use super::parts::{Blow, Load, Network, News, Notice, StressOrder, Struck};
use super::recorder;
use super::streams;
use super::timeline::{Driven, Progress, Timeline};
use super::tools::Tools;
use crate::emulate::Traces;
use crate::judge;
use crate::lab::{Backlog, KernelLab, LabError, preflight, read_secrets};
use crate::plan::turns::Turn;
use crate::plan::types::Plan;
use crate::traffic::secrets::Secrets;
use crate::traffic::{self, Files, Traffic, TrafficResult};

/// The timeline starts this long after everything is ready, so that its first instants are not already past.
const LEAD: Duration = Duration::from_millis(2);

/// What is run, and what the record should say about it.
#[derive(Debug)]
pub struct Request {
    /// The plan.
    pub plan: Plan,
    /// What the files hold that patterns send.
    pub files: Files,
    /// What the files say that impairments take the fate of packets from.
    pub traces: Arc<Traces>,
    /// The texts that the plan's spans point into.
    pub sources: Sources,
    /// The libraries that the scenario uses: name, and exactly which. For the record.
    pub libraries: Vec<(String, String)>,
    /// The command line, for the record.
    pub command: String,
    /// Where captures go.
    pub captures: CaptureFolder,
    /// Wall clock now, RFC 3339, given by the caller at the timeline's start.
    pub wall_clock: fn(SystemTime) -> String,
    /// Becomes the name of a signal when the run is to end.
    pub cancel: watch::Receiver<Option<String>>,
    /// The network may stay when the run is over.
    pub hold: Option<Hold>,
}

/// Where the files of captures go, and whether all links are captured.
#[derive(Debug, Clone)]
pub struct CaptureFolder {
    /// The folder itself; made when the first capture begins.
    pub path: PathBuf,
    /// As it is named in the record, from the folder where that lies.
    pub name: String,
    /// All links are captured as long as the run lasts, and their files kept.
    pub whole: Whole,
}

/// Which captures of whole runs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// There are none.
    None,
    /// Those of runs that do not pass.
    Failed,
    /// All.
    All,
}

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The network could not be built.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The servers could not be started.
    #[error("the traffic could not be prepared: {0}")]
    Traffic(String),
    /// It was interrupted before it began.
    #[error("interrupted by {0} before the timeline began; nothing was left behind")]
    Interrupted(String),
    /// The machine refused something that every run needs.
    #[error("the event loop could not be started: {0}")]
    Runtime(std::io::Error),
    /// The judge could not read what the engine wrote: a fault of scn.
    #[error("internal error: {0}")]
    Judge(String),
}

/// Runs a plan to its end.
///
/// # Errors
/// When no timeline was ever started. Everything later is in the record.
pub fn run(request: Request, observe: &mut dyn FnMut(Progress<'_>)) -> Result<RunRecord, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Runtime)?;
    runtime.block_on(run_in(request, observe))
}

/// What stands when the timeline may begin.
struct Stand {
    lab: KernelLab,
    traffic: Traffic,
    notices: UnboundedReceiver<traffic::Notice>,
    tools: Tools,
    secrets: Secrets,
    warnings: Vec<String>,
}

/// Makes the network, opens the servers and starts the programs.
async fn set_up(
    plan: &Arc<Plan>,
    (files, traces): (&Files, &Arc<Traces>),
    hold: Option<&Hold>,
    cancel: &watch::Receiver<Option<String>>,
    observe: &mut dyn FnMut(Progress<'_>),
) -> Result<Stand, RunError> {
    let mut warnings = preflight(plan)?;
    let secrets = read_secrets(plan)?;
    if plan.once {
        warnings.push("run with `--once`: one connection and one transaction of each flow; no expectation was judged".to_owned());
    }
    observe(Progress::Step("building the network"));
    let making = |what: &str| tracing::debug!(what, "building");
    let lab = match hold {
        Some(_) => KernelLab::build_to_hold(plan, traces, &making)?,
        None => KernelLab::build(plan, traces, &making)?,
    };
    warnings.extend(lab.warnings().iter().cloned());
    observe(Progress::Step("starting servers"));
    let (tell, notices) = unbounded_channel();
    let traffic = match Traffic::prepare(Arc::clone(plan), files, &secrets, Arc::new(lab.door()), tell.clone()).await {
        Ok(traffic) => traffic,
        Err(error) => {
            for error in lab.destroy() {
                observe(Progress::Step(&format!("clean-up: {error}")));
            }
            return Err(RunError::Traffic(error.to_string()));
        }
    };
    observe(Progress::Step("starting programs"));
    let tools = match begin_programs(&lab, plan, tell, cancel.clone()).await {
        Ok(tools) => tools,
        Err(error) => {
            if let (Some(hold), RunError::Lab(why)) = (hold, &error) {
                hold.clone().hold(&lab, plan, Err(&why.to_string()), cancel.clone(), observe).await;
            }
            drop(traffic.finish().await);
            drop(lab.destroy());
            return Err(error);
        }
    };
    Ok(Stand { lab, traffic, notices, tools, secrets, warnings })
}

async fn run_in(request: Request, observe: &mut dyn FnMut(Progress<'_>)) -> Result<RunRecord, RunError> {
    let (plan, sources) = (&Arc::new(request.plan), &request.sources);
    let began = Instant::now();
    let made = (&request.files, &request.traces);
    let Stand { mut lab, traffic, notices, tools, secrets, mut warnings } =
        set_up(plan, made, request.hold.as_ref(), &request.cancel, observe).await?;
    let setup_ns = nanoseconds(began.elapsed());
    begin_captures(&mut lab, &traffic, &request.captures);
    warnings.extend(lab.count_anew().err().map(|error| format!("the kernel's counts begin before the timeline: {error}")));

    let (start, backlog) = (Instant::now() + LEAD, Backlog::look());
    let started = (request.wall_clock)(SystemTime::now() + LEAD);
    let clock = Clock::starting_at(start.into_std());
    begin_traffic(&lab, &traffic, plan, clock);
    warnings.extend(begin(&lab, start));
    observe(Progress::Step("running"));
    let line_of = |span| sources.line_column(span).line;
    let (mut load, mut network) = (RealLoad { traffic: &traffic, notices, tools }, RealNetwork { lab: &mut lab, plan });
    let timeline = Timeline::new(plan, &mut network, &mut load, start, &line_of, observe);
    let Driven { events, ended, warnings: of_timeline, cut, cut_stresses, end_ns } = timeline.drive(request.cancel.clone()).await;
    let silent = traffic.silent();
    // What comes later is none of the run.
    lab.look();
    let (samples, interfaces) = (lab.samples(), lab.interfaces());

    let measured = collect(load.tools, traffic, (plan, clock), (&cut, &cut_stresses)).await;
    warnings.extend(of_timeline.into_iter().chain(measured.warnings).chain(backlog.told()));
    // Who interrupts a run has seen enough.
    let hold = request.hold.filter(|_| !matches!(ended, Ended::Interrupted(_)));
    let ns = |at| clock.ns_of(at);
    let (processes, commands) = match hold {
        Some(_) => lab.programs_so_far(plan, &ns).await,
        None => lab.finish_programs(plan, &ns).await,
    };
    warnings.extend(idle(&mut lab));
    let captures = lab.finish_captures(&|at| clock.ns_of(at));
    let environment = environment(request.command, request.libraries, &lab);
    let run = recorder::Run {
        plan,
        sources,
        started,
        setup_ns,
        cleanup_ns: 0,
        end_ns,
        ended,
        events,
        environment,
        accounts: lab.accounts(),
        samples,
        interfaces,
        processes,
        commands,
        captures,
        warnings,
    };
    let mut record = recorder::record(run, measured.flows, measured.stresses);
    let Some(hold) = hold else {
        take_down(lab, &mut record);
        judge(&mut record, &request.captures)?;
        return Ok(record);
    };
    judge(&mut record, &request.captures)?;
    if hold.is_for(record.verdict) {
        let servers = serve_again(plan, (&request.files, &secrets), &lab, silent, observe).await;
        hold.hold(&lab, plan, Ok(&record), request.cancel, observe).await;
        if let Some(servers) = servers {
            drop(servers.finish().await);
        }
    } else {
        (record.processes, record.commands) = lab.finish_programs(plan, &ns).await;
    }
    take_down(lab, &mut record);
    Ok(record)
}

fn judge(record: &mut RunRecord, captures: &CaptureFolder) -> Result<(), RunError> {
    judge::judge(record).map_err(|error| RunError::Judge(error.to_string()))?;
    sort_out(record, captures);
    Ok(())
}

/// Takes the network down; how that went belongs to the record.
fn take_down(lab: KernelLab, record: &mut RunRecord) {
    let began = Instant::now();
    record.warnings.extend(lab.destroy().into_iter().map(|error| format!("clean-up: {error}")));
    record.cleanup_ns = nanoseconds(began.elapsed());
}

/// Lets the timeline capture, and captures all links if that is asked for.
fn begin_captures(lab: &mut KernelLab, traffic: &Traffic, folder: &CaptureFolder) {
    lab.capture_into(folder.path.clone());
    if folder.whole != Whole::None {
        lab.capture_whole();
        traffic.is_captured();
    }
}

/// Facts for the record.
fn environment(command: String, libraries: Vec<(String, String)>, lab: &KernelLab) -> Vec<(String, String)> {
    let mut facts = vec![("command line".to_owned(), command), ("scn".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    facts.extend(libraries.into_iter().map(|(name, which)| (format!("library {name}"), which)));
    facts.extend(lab.environment());
    facts
}

/// Removes the captures that are only of use where the run did not pass, and names the files of the others as seen from the record.
fn sort_out(record: &mut RunRecord, folder: &CaptureFolder) {
    let unwanted = folder.whole == Whole::Failed && record.verdict == Some(Verdict::Pass);
    let warnings = &mut record.warnings;
    record.captures.retain_mut(|capture| {
        let path = folder.path.join(&capture.file);
        capture.file = format!("{}/{}", folder.name, capture.file);
        if unwanted && capture.whole {
            match std::fs::remove_file(&path) {
                Ok(()) => return false,
                Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return false,
                Err(cause) => warnings.push(format!("{} could not be removed: {cause}", path.display())),
            }
        }
        true
    });
    if unwanted && record.captures.is_empty() {
        // Empty now; if it is not, somebody else's files are in it.
        let _ = std::fs::remove_dir(&folder.path);
    }
    let incomplete = |capture: &CaptureRecord| Some(format!("the capture {} is incomplete: {}", capture.file, capture.incomplete()?));
    record.warnings.extend(record.captures.iter().filter_map(incomplete));
}

/// The services of a network that stays answer again, but for those that did not at the end: what was measured is handed over already.
async fn serve_again(
    plan: &Arc<Plan>,
    (files, secrets): (&Files, &Secrets),
    lab: &KernelLab,
    silent: Vec<usize>,
    observe: &mut dyn FnMut(Progress<'_>),
) -> Option<Traffic> {
    let (tell, _) = unbounded_channel();
    match Traffic::prepare(Arc::clone(plan), files, secrets, Arc::new(lab.door()), tell.clone()).await {
        Ok(traffic) => {
            silent.into_iter().for_each(|listener| traffic.close(listener));
            Some(traffic)
        }
        Err(why) => {
            observe(Progress::Step(&format!("its services do not answer any more: {why}")));
            None
        }
    }
}

/// Starts the programs under test and the servers of tools and waits until all are ready, or somebody wants the run to end.
async fn begin_programs(
    lab: &KernelLab,
    plan: &Plan,
    tell: UnboundedSender<traffic::Notice>,
    mut cancel: watch::Receiver<Option<String>>,
) -> Result<Tools, RunError> {
    let begin = async {
        lab.begin_programs().await?;
        Tools::begin(lab, plan, tell).await
    };
    tokio::select! {
        biased;
        Ok(signal) = cancel.wait_for(Option::is_some) => Err(RunError::Interrupted(signal.clone().unwrap_or_default())),
        begun = begin => Ok(begun?),
    }
}

/// Everything that was measured, what tools told of their flows among it.
async fn collect(
    tools: Tools,
    traffic: Traffic,
    (plan, clock): (&Plan, Clock),
    (flows, stresses): (&[FlowId], &[StressId]),
) -> TrafficResult {
    let mut measured = traffic.finish().await;
    measured.warnings.extend(tools.finish(plan, clock, &mut measured.flows));
    mark_cut(&mut measured, flows, stresses);
    measured
}

/// The traffic saw an orderly stop; that the scenario did not mean a flow to end there only the timeline knows.
fn mark_cut(measured: &mut TrafficResult, flows: &[FlowId], stresses: &[StressId]) {
    for flow in flows {
        if let Some(series) = measured.flows.get_mut(flow.index()) {
            series.finished = false;
        }
    }
    for stress in stresses {
        if let Some(series) = measured.stresses.get_mut(stress.index()) {
            series.finished = false;
        }
    }
}

/// The traffic counts from the timeline's start, and tools make streams for it.
fn begin_traffic(lab: &KernelLab, traffic: &Traffic, plan: &Arc<Plan>, clock: Clock) {
    traffic.start_clock(clock);
    streams::begin(lab, traffic, plan, clock);
}

/// The wires count from the timeline's start. Out: a warning if they can't be told.
fn begin(lab: &KernelLab, start: Instant) -> Option<String> {
    lab.begin(start.into_std()).err().map(|error| format!("the wires count from before the timeline: {error}"))
}

/// Warnings about faults that last and met nothing.
fn idle(lab: &mut KernelLab) -> Vec<String> {
    lab.effects().unwrap_or_else(|error| vec![format!("whether faults had an effect could not be read: {error}")])
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The kernel's lab as the engine's network.
struct RealNetwork<'a> {
    lab: &'a mut KernelLab,
    plan: &'a Plan,
}

impl Network for RealNetwork<'_> {
    fn apply(&mut self, action: &Action) -> Result<Vec<String>, String> {
        Ok(self.lab.apply(action).map_err(|error| error.to_string())?.warnings)
    }

    fn undo(&mut self, action: &Action) -> Result<Option<Vec<String>>, String> {
        Ok(self.lab.undo(action).map_err(|error| error.to_string())?.map(|done| done.warnings))
    }

    fn value(&self, metric: &Metric, regex: Option<&Regex>) -> Option<f64> {
        self.lab.value(self.plan, metric, regex)
    }

    fn look(&mut self) {
        self.lab.look();
    }

    fn trouble(&self) -> Option<String> {
        self.lab.trouble()
    }

    fn command(&mut self, entry: usize, node: NodeId, command: &Text) {
        self.lab.command(self.plan, entry, node, command);
    }

    async fn news(&mut self) -> News {
        self.lab.news().await
    }
}

/// The real traffic as the engine's load, and the tools that make flows beside it.
struct RealLoad<'a> {
    traffic: &'a Traffic,
    notices: UnboundedReceiver<traffic::Notice>,
    tools: Tools,
}

impl Load for RealLoad<'_> {
    fn start(&mut self, flow: FlowId, at_ns: i64) -> bool {
        if self.tools.make(flow) { self.tools.start(flow, at_ns) } else { self.traffic.start_flow(flow, at_ns) }
    }

    fn stop(&mut self, flow: FlowId, at_ns: i64) {
        if self.tools.make(flow) {
            self.tools.stop(flow);
        } else {
            self.traffic.stop_flow(flow, at_ns);
        }
    }

    fn turn(&mut self, flow: FlowId, turn: Turn) {
        self.traffic.turn_flow(flow, turn);
    }

    fn order(&mut self, stress: StressId, order: StressOrder, at_ns: i64) -> bool {
        match order {
            StressOrder::Start => self.traffic.start_stress(stress, at_ns),
            StressOrder::Stop => self.traffic.stop_stress(stress, at_ns),
            StressOrder::Pause => self.traffic.pause_stress(stress, at_ns),
            StressOrder::Resume => self.traffic.resume_stress(stress, at_ns),
            StressOrder::Set(turn, setting) => self.traffic.set_stress(stress, turn, setting),
        }
    }

    fn stress_value(&self, stress: StressId, metric: &str) -> Option<u64> {
        self.traffic.live_stress(stress, metric)
    }

    fn look(&mut self) {
        self.traffic.look();
    }

    fn close_service(&mut self, service: ServiceId, nodes: &[NodeId]) {
        self.traffic.stop_service(service, nodes);
    }

    async fn open_service(&mut self, service: ServiceId, nodes: &[NodeId]) -> Result<(), String> {
        self.traffic.start_service(service, nodes).await.map_err(|error| error.to_string())
    }

    async fn strike(&mut self, whom: &Struck, blow: Blow, at_ns: i64) -> Result<Struck, String> {
        let (tools, own) = whom.flows.iter().partition(|flow| self.tools.make(**flow));
        let own = Struck { listeners: whom.listeners.clone(), flows: own };
        let mut met = self.traffic.strike(&own, blow, at_ns).await?;
        let tools: Vec<FlowId> = tools;
        for flow in tools {
            if self.tools.strike(flow, blow).await {
                met.flows.push(flow);
            }
        }
        Ok(met)
    }

    fn close(&mut self, listeners: &[usize]) {
        listeners.iter().for_each(|listener| self.traffic.close(*listener));
    }

    async fn open(&mut self, listeners: &[usize]) -> Result<(), String> {
        self.traffic.open_again(listeners).await.map_err(|error| error.to_string())
    }

    fn value(&self, flow: FlowId, metric: &str) -> Option<u64> {
        // What a tool counts is known when it has ended.
        if self.tools.make(flow) { None } else { self.traffic.live(flow).get(metric) }
    }

    fn watch(&mut self, on: bool) {
        self.traffic.watch(on);
    }

    async fn notice(&mut self) -> Notice {
        match self.notices.recv().await {
            Some(traffic::Notice::FlowEnded(flow)) => {
                self.tools.ended(flow);
                Notice::Ended(flow)
            }
            Some(traffic::Notice::StressEnded(stress)) => Notice::StressEnded(stress),
            Some(traffic::Notice::Changed) => Notice::Changed,
            Some(traffic::Notice::Told { text }) => Notice::Told(text),
            Some(traffic::Notice::Broken { what }) => Notice::Broken(what),
            // The traffic holds its end of the channel until `finish`.
            None => std::future::pending().await,
        }
    }
}
