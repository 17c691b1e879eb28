//! From what a run left behind to its record. In: the plan, the events, the series. Out: a [`RunRecord`] without verdicts. Pure.

use std::fmt::Write as _;

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::expect::Kind;
use scn_grammar::scenario::flow::{Arrivals, Destination, Phase};
use scn_grammar::scenario::pattern::{Payload, Side, StepKind, Varying};
use scn_grammar::scenario::transport::TransportKind;
use scn_grammar::source::{Sources, Span};
use scn_reports::record::capture::CaptureRecord;
use scn_reports::record::counted::{InterfaceRecord, LinkSample};
use scn_reports::record::flow::{Failure, FlowRecord};
use scn_reports::record::process::{CommandRecord, ProcessRecord};
use scn_reports::record::stress::StressRecord;
use scn_reports::record::{
    Ended, EventRecord, ExpectationKind, ExpectationRecord, FORMAT, LinkAccount, RunRecord, ScenarioRecord, VERSION,
};

use crate::plan::types::{Plan, PlannedFlow, PlannedStress};
use crate::plan::{outline, picture};
use crate::traffic::{FailureKind, FlowSeries, StressSeries};

/// What a run left behind, but for its series.
pub struct Run<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The texts that the plan's spans point into.
    pub sources: &'a Sources,
    /// Wall clock at the timeline's start.
    pub started: String,
    /// How long building took, ns.
    pub setup_ns: u64,
    /// How long taking down took, ns.
    pub cleanup_ns: u64,
    /// When the timeline ended, ns.
    pub end_ns: i64,
    /// How it ended.
    pub ended: Ended,
    /// What happened.
    pub events: Vec<EventRecord>,
    /// Facts about the machine.
    pub environment: Vec<(String, String)>,
    /// The wires' accounts, by link.
    pub accounts: Vec<Option<LinkAccount>>,
    /// What wires had counted over time, by link.
    pub samples: Vec<Vec<LinkSample>>,
    /// What the kernel had counted of interfaces.
    pub interfaces: Vec<InterfaceRecord>,
    /// Programs under test.
    pub processes: Vec<ProcessRecord>,
    /// Commands of the timeline.
    pub commands: Vec<CommandRecord>,
    /// Captures.
    pub captures: Vec<CaptureRecord>,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// Makes the record.
#[must_use]
pub fn record(run: Run<'_>, series: Vec<FlowSeries>, stresses: Vec<StressSeries>) -> RunRecord {
    let plan = run.plan;
    RunRecord {
        format: FORMAT.to_owned(),
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario(&run),
        seed: plan.seed,
        started: run.started,
        duration_ns: u64::try_from(run.end_ns).unwrap_or(0),
        setup_ns: run.setup_ns,
        cleanup_ns: run.cleanup_ns,
        ended: run.ended,
        environment: run.environment,
        tolerance_ns: plan.tolerance_ns,
        nodes: picture::nodes(plan),
        links: picture::links(plan, run.accounts, run.samples),
        flows: plan.flows.iter().zip(series).map(|(flow, series)| flow_record(plan, flow, series, run.sources)).collect(),
        stresses: plan.stresses.iter().zip(stresses).map(|(stress, series)| stress_record(plan, stress, series, run.sources)).collect(),
        processes: run.processes,
        commands: run.commands,
        interfaces: run.interfaces,
        captures: run.captures,
        events: run.events,
        expectations: plan.expectations.iter().map(|e| expectation(e, &run.sources.get(plan.span.file).text)).collect(),
        warnings: run.warnings,
        verdict: None,
        plan: serde_json::to_value(plan).unwrap_or_default(),
    }
}

fn scenario(run: &Run<'_>) -> ScenarioRecord {
    let plan = run.plan;
    let end = plan.span.end.saturating_sub(1).max(plan.span.start);
    let line_of = |start| run.sources.line_column(Span { start, ..plan.span }).line;
    ScenarioRecord {
        name: plan.scenario.clone(),
        doc: plan.doc.clone(),
        tags: plan.tags.clone(),
        file: plan.file.clone(),
        source: run.sources.get(plan.span.file).text.to_string(),
        lines: (line_of(plan.span.start), line_of(end)),
        params: plan.params.iter().map(|p| (p.name.clone(), p.value.clone(), p.set)).collect(),
    }
}

/// A duration as the language writes it.
fn duration(ns: u64) -> String {
    use scn_grammar::quantity::{Dimension, Quantity};
    Quantity::new(Dimension::Duration, i64::try_from(ns).unwrap_or(i64::MAX)).to_string()
}

fn flow_record(plan: &Plan, flow: &PlannedFlow, series: FlowSeries, sources: &Sources) -> FlowRecord {
    FlowRecord {
        name: flow.name.clone(),
        doc: flow.doc.clone(),
        description: describe(plan, flow),
        from: flow.from.0,
        to: flow.backends.iter().map(|n| n.0).collect(),
        ran_ns: series.ran_ns,
        paused_ns: series.paused_ns,
        interval_ns: flow.interval_ns,
        intervals_ns: series.intervals_ns,
        uneven: flow.load.burst > 1 || flow.load.arrivals != Arrivals::Constant || flow.load.phase != Phase::Even,
        pause_ns: flow.load.interval_ns,
        to_each: flow.spread_by.is_some(),
        forward_bytes: fixed_bytes(flow, Side::Client),
        back_bytes: fixed_bytes(flow, Side::Server),
        finished: series.finished,
        truncated_at_ns: series.truncated_at_ns,
        items: series.items,
        connections: series.connections,
        tcp: series.tcp,
        failures: failures(plan, series.failures, sources),
        corrupt: series.corrupt,
        datagrams: series.datagrams,
        tool: series.tool,
        lookups: series.lookups,
        summary: Vec::new(),
    }
}

/// What went wrong, with the places in the text.
fn failures(plan: &Plan, failures: Vec<FailureKind>, sources: &Sources) -> Vec<Failure> {
    // A step of a library's pattern names its own file; `line` counts in the scenario's.
    let place = |step: String, span: Option<Span>| match span {
        None => (step, 0),
        Some(span) if span.file == plan.span.file => (step, sources.line_column(span).line),
        Some(span) => (format!("{step} ({}:{})", sources.get(span.file).name, sources.line_column(span).line), 0),
    };
    let failures = failures.into_iter().map(|f| (place(f.step, f.span), f.what, f.count, f.first_ns, f.last_ns));
    failures.map(|((step, line), what, count, first_ns, last_ns)| Failure { step, what, line, count, first_ns, last_ns }).collect()
}

fn stress_record(plan: &Plan, stress: &PlannedStress, series: StressSeries, sources: &Sources) -> StressRecord {
    StressRecord {
        name: stress.stress.name.clone(),
        doc: stress.stress.doc.clone(),
        description: outline::stress_words(plan, &stress.stress),
        ran_ns: series.ran_ns,
        finished: series.finished,
        samples: series.samples,
        streams: series.streams,
        failures: failures(plan, series.failures, sources),
        summary: Vec::new(),
    }
}

/// `client → 10.0.0.100:5003 over tcp, sym(1KiB), 200 connections, 400/s`.
fn describe(plan: &Plan, flow: &PlannedFlow) -> String {
    let load = &flow.load;
    let kind = flow.transport.kind();
    let node = |node: NodeId, interface: Option<&str>| {
        let name = &plan.nodes[node.index()].name;
        interface.map_or_else(|| name.clone(), |interface| format!("{name}.{interface}"))
    };
    let target = match &flow.to {
        Destination::Node(to, _) if kind == TransportKind::Frames => node(*to, None),
        Destination::Interface(to, interface, _) if kind == TransportKind::Frames => node(*to, Some(interface)),
        Destination::Address(to, _) if kind == TransportKind::Frames => to.to_string(),
        _ => flow.place(),
    };
    let mut text = format!("{} → {target} over {}", node(flow.from, flow.from_interface.as_deref()), kind.word());
    if let Some(tool) = &flow.tool {
        let _ = write!(
            text,
            " via {}",
            std::iter::once(tool.kind.word()).chain(tool.arguments.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
        );
    }
    // Writing to a String cannot fail.
    if let Some(pattern) = &flow.pattern {
        let _ = write!(text, ", {}", pattern.name);
    }
    let one = if kind.has_connections() { "connection" } else { "socket" };
    let _ = match load.connections {
        _ if flow.watches() => write!(text, ", only watched"),
        // As many as are opened, or as the tool opens.
        _ if load.opens_nano.is_some() || (flow.tool.is_some() && load.connections == 1) => Ok(()),
        1 => write!(text, ", 1 {one}"),
        many => write!(text, ", {many} {one}s"),
    };
    outline::tempo(load).into_iter().for_each(|words| text.extend([", ", words.as_str()]));
    if let Some(total) = load.total {
        let _ = write!(text, ", {total} in all");
    }
    if load.interval_ns > 0 {
        let _ = write!(text, ", {} apart", duration(load.interval_ns));
    }
    if let Some(limit) = load.duration_ns {
        let _ = write!(text, ", for {}", duration(limit));
    }
    text
}

/// What one transaction carries from a side, if it is always the same and of sizes only.
fn fixed_bytes(flow: &PlannedFlow, side: Side) -> Option<u64> {
    flow.pattern.as_ref()?.steps.iter().try_fold(0u64, |sum, step| match &step.kind {
        StepKind::Sends { by, payload: Payload::Filled(Varying::Fixed(size)) | Payload::Random(Varying::Fixed(size)), .. } => {
            Some(if *by == side { sum + size } else { sum })
        }
        StepKind::Sends { by, .. } => (*by != side).then_some(sum),
        StepKind::Expects { .. } | StepKind::Pause { .. } | StepKind::Closes { .. } => Some(sum),
        StepKind::Echoes { .. } | StepKind::Repeat { .. } | StepKind::Choose { .. } => None,
    })
}

fn expectation(expectation: &scn_grammar::scenario::expect::Expectation, source: &str) -> ExpectationRecord {
    let start = (expectation.span.start as usize).min(source.len());
    let end = (expectation.span.end as usize).clamp(start, source.len());
    let before = source.get(..start).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let first_line = source.get(start..end).and_then(|text| text.lines().next()).unwrap_or("");
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    ExpectationRecord {
        name: expectation.name.clone(),
        words: expectation.words.clone(),
        kind: match expectation.kind {
            Kind::Collect => ExpectationKind::Expect,
            Kind::Require => ExpectationKind::Require,
            Kind::Note => ExpectationKind::Note,
        },
        line: count(1 + before.bytes().filter(|b| *b == b'\n').count()),
        column: count(1 + before[line_start..].chars().count()),
        length: count(first_line.trim_end().chars().count()),
        outcome: None,
    }
}
