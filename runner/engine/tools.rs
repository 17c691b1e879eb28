//! Flows that tools make, as the engine drives them beside those of its own traffic. In: starts, stops and faults. Out: which of them run, and
//! their series when all is over. Reads no output: what tools tell is understood in `traffic::tools`.

use std::collections::BTreeMap;
use std::sync::Arc;

use scn_grammar::scenario::FlowId;
use scn_reports::record::tool::ToolProgram;
use tokio::sync::mpsc::UnboundedSender;

use super::clock::Clock;
use super::parts::Blow;
use crate::lab::{KernelLab, LabError, Life, Ran, ToolFlows};
use crate::plan::types::Plan;
use crate::traffic::tools::{self, End, Heard, Line};
use crate::traffic::{FlowSeries, Notice};

/// Lines of a program's error output that the record keeps.
const SAID: usize = 5;

/// What is known of one flow.
#[derive(Debug, Default)]
struct State {
    /// When each start was meant, ns.
    starts: Vec<i64>,
    /// Starts that have not come to their end.
    ongoing: usize,
    /// The last start was told to stop.
    stopped: bool,
    /// Its client stands still.
    frozen: bool,
}

/// The flows of a run that tools make.
pub(super) struct Tools {
    lab: ToolFlows,
    states: BTreeMap<FlowId, State>,
    names: BTreeMap<FlowId, String>,
    warnings: Vec<String>,
}

impl Tools {
    /// Starts their servers. The end of each flow is told where the traffic tells those of its own.
    pub(super) async fn begin(lab: &KernelLab, plan: &Plan, notices: UnboundedSender<Notice>) -> Result<Self, LabError> {
        // Who does not listen any more needs not know.
        let tell = Arc::new(move |flow| drop(notices.send(Notice::FlowEnded(flow))));
        let made = || plan.flows.iter().filter(|flow| flow.tool.is_some());
        let states = made().map(|flow| (flow.id, State::default())).collect();
        let names = made().map(|flow| (flow.id, flow.name.clone())).collect();
        Ok(Tools { lab: lab.begin_tools(plan, tell).await?, states, names, warnings: Vec::new() })
    }

    /// A tool makes the flow.
    pub(super) fn make(&self, flow: FlowId) -> bool {
        self.states.contains_key(&flow)
    }

    /// Starts a flow; `false`: it runs already and goes on.
    pub(super) fn start(&mut self, flow: FlowId, at_ns: i64) -> bool {
        let Some(state) = self.states.get_mut(&flow) else { return false };
        if state.ongoing > 0 && !state.stopped {
            self.warnings.push(format!("flow {} was started while it was running: it went on as it was", self.names[&flow]));
            return false;
        }
        state.starts.push(at_ns);
        (state.ongoing, state.stopped, state.frozen) = (state.ongoing + 1, false, false);
        self.lab.start(flow);
        true
    }

    /// Stops a flow.
    pub(super) fn stop(&mut self, flow: FlowId) {
        if let Some(state) = self.states.get_mut(&flow) {
            state.stopped = true;
            self.lab.stop(flow);
        }
    }

    /// One start of a flow has come to its end.
    pub(super) fn ended(&mut self, flow: FlowId) {
        if let Some(state) = self.states.get_mut(&flow) {
            state.ongoing = state.ongoing.saturating_sub(1);
            state.frozen &= state.ongoing > 0;
        }
    }

    /// Strikes the client of a flow. Out: whether it met something that runs.
    pub(super) async fn strike(&mut self, flow: FlowId, blow: Blow) -> bool {
        let Some(state) = self.states.get_mut(&flow) else { return false };
        let runs = state.ongoing > 0 && !state.stopped;
        let met = match blow {
            Blow::Kill { .. } => runs,
            Blow::Freeze => runs && !state.frozen,
            Blow::Thaw => runs && state.frozen,
        };
        match blow {
            Blow::Kill { .. } => state.stopped |= runs,
            Blow::Freeze => state.frozen |= runs,
            Blow::Thaw => state.frozen = false,
        }
        if met {
            self.lab.strike(flow, blow).await;
        }
        met
    }

    /// Puts what the tools told into the series of their flows. Out: what a reader should know.
    pub(super) fn finish(mut self, plan: &Plan, clock: Clock, series: &mut [FlowSeries]) -> Vec<String> {
        let mut ran: BTreeMap<FlowId, Vec<Ran>> = BTreeMap::new();
        for one in self.lab.take() {
            ran.entry(one.flow).or_default().push(one);
        }
        for (flow, state) in &self.states {
            let (Some(planned), Some(place)) = (plan.flows.get(flow.index()), series.get_mut(flow.index())) else { continue };
            let ran = ran.remove(flow).unwrap_or_default();
            let heard: Vec<(i64, Heard)> = state.starts.iter().copied().zip(ran.iter().map(|ran| heard(ran, clock))).collect();
            *place = tools::series(planned, &heard, state.ongoing == 0);
            if heard.len() < state.starts.len() {
                self.warnings.push(format!("the tool of flow {} did not end in time: what it told is lost", planned.name));
            }
            if let Some(tool) = &mut place.tool {
                tool.programs =
                    ran.iter().flat_map(|ran| ran.server.iter().chain([&ran.client])).map(|life| program(life, clock)).collect();
            }
        }
        self.warnings
    }
}

/// What both ends of a start wrote, on the run's clock.
pub(super) fn heard(ran: &Ran, clock: Clock) -> Heard {
    Heard { client: end(&ran.client, clock), server: ran.server.as_ref().map(|server| end(server, clock)) }
}

fn end(life: &Life, clock: Clock) -> End {
    let line =
        |(at, errors, text): &(std::time::Instant, bool, String)| Line { at_ns: clock.ns_of(*at), errors: *errors, text: text.clone() };
    End {
        started_ns: clock.ns_of(life.started),
        ended_ns: clock.ns_of(life.ended),
        status: life.status,
        lines: life.lines.iter().map(line).collect(),
        told_ns: life.told.map(|at| clock.ns_of(at)),
        cut: life.cut,
    }
}

fn program(life: &Life, clock: Clock) -> ToolProgram {
    let said: Vec<String> = life.lines.iter().filter(|(_, errors, _)| *errors).map(|(.., text)| text.clone()).collect();
    ToolProgram {
        node: life.node.0,
        command: life.command.clone(),
        started_ns: clock.ns_of(life.started),
        ended_ns: Some(clock.ns_of(life.ended)),
        status: life.status,
        said: said[said.len().saturating_sub(SAID)..].to_vec(),
    }
}
