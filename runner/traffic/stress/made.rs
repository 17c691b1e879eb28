//! Streams that real tools make. In: streams to start and to stop; how each went, from whoever runs the programs. Out: orders to them; counts of the stress.
//! Starts no program and reads no output.
//!
//! ```text
//! Stress --start, stop--> Makes (the engine's, which runs the programs)
//!    ^                       |
//!    +------ Hears: began, over with its outcome
//! ```

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use scn_grammar::scenario::FlowId;

use super::super::shared::Shared;
use super::super::tools;
use super::told::{self, Amount, Answer};
use super::{Drawn, Stress, open};
use crate::plan::types::PlannedFlow;
use crate::traffic::series::FailureKind;
use crate::traffic::{Notice, Traffic};

/// Kinds of failures that are kept of one stress.
const MAX_FAILURES: usize = 50;

/// Who runs the programs of streams. What it is told comes from any thread, and must not wait.
pub trait Makes: Send + Sync {
    /// A stream starts.
    fn start(&self, stream: Made);
    /// A stream is to end, if it has not.
    fn stop(&self, stress: usize, number: u64);
}

/// A stream that a tool is to make.
#[derive(Debug, Clone)]
pub struct Made {
    /// Whose it is: a position among the plan's stresses.
    pub stress: usize,
    /// Its number.
    pub number: u64,
    /// The flow that it is, with all that was drawn for it but the port of its server.
    pub flow: PlannedFlow,
    /// Its client is told to end so long after its start, ns.
    pub stop_after_ns: u64,
    /// It does not begin before this instant, ns.
    pub from_ns: i64,
}

/// How a stream went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// When its client was started, ns.
    pub began_ns: i64,
    /// What its tool told, and what it did not.
    pub amounts: Vec<Amount>,
    /// Answers, as far as it tells of each.
    pub answers: Vec<Answer>,
    /// Messages that the receiving end counted; `None`: the tool tells none.
    pub received: Option<u64>,
    /// Why it failed, in the tool's words; `None`: it did not.
    pub cause: Option<String>,
}

/// Where whoever makes streams tells what became of them.
#[derive(Clone)]
pub struct Hears(Weak<Shared>);

impl Hears {
    /// The client of a stream was started.
    pub fn began(&self, stress: usize, number: u64, at_ns: i64) {
        let Some(shared) = self.0.upgrade() else { return };
        open(&shared.stresses[stress].mix).ran(number, at_ns);
        changed(&shared);
    }

    /// Nothing of a stream lives any more; `None`: it never began.
    pub fn over(&self, stress: usize, number: u64, now_ns: i64, outcome: Option<Outcome>) {
        // Of a run that is over nobody asks.
        let Some(shared) = self.0.upgrade() else { return };
        let stress = &shared.stresses[stress];
        let drawn = open(&stress.mix).alive().find(|(known, ..)| *known == number);
        let Some((_, drawn, _)) = drawn else { return };
        let flow = &shared.plan.flows[stress.flow(drawn).index()];
        let tool = flow.tool.as_ref().map_or("", |tool| tool.kind.word());
        let over = format!("{tool} over {} from {}", flow.transport.kind().word(), shared.node_name(flow.from));
        let Outcome { began_ns, amounts, answers, received, cause } = match outcome {
            Some(outcome) => {
                open(&stress.mix).ran(number, outcome.began_ns);
                outcome
            }
            None => Outcome::default(),
        };
        stress.take_in(amounts, answers);
        if let Some(what) = &cause {
            stress.note_failure(tool, what, now_ns.max(began_ns));
        }
        let (from_ns, failed) = open(&stress.mix).over(number, now_ns, &over, received, cause);
        stress.failed.fetch_add(u64::from(failed), Ordering::SeqCst);
        changed(&shared);
        stress.keep_going(&shared, now_ns, from_ns);
    }
}

/// Tells of a change to whom it concerns.
fn changed(shared: &Shared) {
    if shared.is_watched() {
        shared.tell_changed();
    }
}

/// The flow of this number, if a tool makes it.
pub(super) fn by_tool(shared: &Shared, flow: FlowId) -> Option<&PlannedFlow> {
    shared.plan.flows.get(flow.index()).filter(|flow| flow.tool.is_some())
}

impl Stress {
    /// Orders a stream of a tool.
    pub(super) fn make(&self, shared: &Shared, (number, drawn): (u64, Drawn), kind: &PlannedFlow, from_ns: i64) {
        let Some(maker) = shared.maker.get() else {
            return shared.tell(Notice::Broken { what: "nobody makes the streams of tools (a bug in scn)".to_owned() });
        };
        let (flow, stop_after_ns) = tools::drawn(kind, drawn.duration_ns, drawn.size);
        maker.start(Made { stress: self.position, number, flow, stop_after_ns, from_ns });
    }

    /// Ends a stream of a tool.
    pub(super) fn unmake(&self, shared: &Shared, number: u64) {
        if let Some(maker) = shared.maker.get() {
            maker.stop(self.position, number);
        }
    }

    /// Counts what a tool told, at the instants of which it told.
    fn take_in(&self, amounts: Vec<Amount>, answers: Vec<Answer>) {
        let mut samples = open(&self.samples);
        told::fold(samples.kept_mut(), &mut open(&self.sums), amounts);
        let behind = told::fold_answers(samples.kept_mut(), answers);
        let mut latency = open(&self.latency);
        behind.iter().for_each(|answer| latency.saturating_record(answer.took_ns));
    }

    fn note_failure(&self, tool: &str, what: &str, at_ns: i64) {
        let mut failures = open(&self.failures);
        if let Some(known) = failures.iter_mut().find(|known| known.step == tool && known.what == what) {
            known.count += 1;
            known.last_ns = known.last_ns.max(at_ns);
        } else if failures.len() < MAX_FAILURES {
            let (step, what) = (tool.to_owned(), what.to_owned());
            failures.push(FailureKind { step, what, span: None, count: 1, first_ns: at_ns, last_ns: at_ns });
        }
    }

    /// Streams of tools that did not end while anybody waited: what they told is lost, and counts as what may have come. Out: how many.
    pub(super) fn give_up(&self, shared: &Shared, now_ns: i64) -> usize {
        let alive: Vec<_> = open(&self.mix).alive().collect();
        let mut lost = 0;
        for (_, drawn, began_ns) in alive {
            let flow = by_tool(shared, self.flow(drawn));
            let Some((flow, tool, began_ns)) = flow.and_then(|flow| Some((flow, flow.tool.as_ref()?, began_ns?))) else { continue };
            let untold = tools::counts(flow, tool.kind).into_iter().map(|what| tools::untold(what, began_ns, now_ns));
            self.take_in(untold.collect(), Vec::new());
            lost += 1;
        }
        lost
    }
}

impl Traffic {
    /// From now on this one makes the streams of tools; given once, before any of them starts.
    pub fn made_by(&self, maker: Arc<dyn Makes>) {
        let _ = self.shared.maker.set(maker);
    }

    /// Where it tells what became of them.
    #[must_use]
    pub fn hears(&self) -> Hears {
        Hears(Arc::downgrade(&self.shared))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use scn_grammar::scenario::flow::{Load, Tool, ToolKind};
    use scn_grammar::scenario::pattern::Varying;
    use scn_grammar::scenario::stress::{Stress as Said, StressTransport};
    use scn_reports::record::stress::StressCount;

    use super::super::super::tests::{Running, start_traffic};
    use super::super::tests::{MIX, last, said, stress};
    use super::*;
    use crate::plan::types::Plan;

    /// What the maker was told.
    enum Order {
        Start(Box<Made>),
        Stop(u64),
    }

    struct Paper(Mutex<Sender<Order>>);

    impl Makes for Paper {
        fn start(&self, made: Made) {
            open(&self.0).send(Order::Start(Box::new(made))).unwrap();
        }

        fn stop(&self, _: usize, number: u64) {
            open(&self.0).send(Order::Stop(number)).unwrap();
        }
    }

    /// A stress over UDP, all of whose streams a tool could make, on loopback.
    fn planned(said: Said) -> Plan {
        let mut plan = stress(Said { tools: vec![ToolKind::Iperf3], transports: vec![StressTransport::Udp], ..said }, true);
        let own = plan.stresses[0].kinds.remove(1);
        let tool = Some(Tool { kind: ToolKind::Iperf3, arguments: Vec::new() });
        let by_tool = PlannedFlow { tool, pattern: None, load: Load::default(), ..own.clone() };
        plan.stresses[0].kinds = vec![own, by_tool];
        plan
    }

    async fn started(said: Said) -> (Running, Receiver<Order>, Hears) {
        let running = start_traffic(planned(said)).await;
        let (tell, told) = channel();
        running.traffic.made_by(Arc::new(Paper(Mutex::new(tell))));
        assert!(running.traffic.start_stress(MIX, 0));
        let hears = running.traffic.hears();
        (running, told, hears)
    }

    fn order(told: &Receiver<Order>) -> Order {
        told.recv_timeout(Duration::from_secs(20)).expect("an order")
    }

    fn start(told: &Receiver<Order>) -> Made {
        let Order::Start(made) = order(told) else { panic!("a stop") };
        *made
    }

    fn sent(count: u64, from_ns: i64, to_ns: i64) -> Amount {
        Amount { what: StressCount::Sent, count, from_ns, to_ns, sure: true }
    }

    #[tokio::test]
    async fn a_stream_of_a_tool_counts_what_it_tells() {
        let (running, told, hears) = started(Said { size: Varying::Fixed(500), ..said(6) }).await;
        let first = start(&told);
        assert_eq!((first.stress, &first.flow.load.size), (0, &Some(Varying::Fixed(500))));
        assert!(first.flow.load.duration_ns == Some(first.stop_after_ns), "a tool is told to end");
        assert_eq!((running.traffic.live_stress(MIX, "sent"), running.traffic.live_stress(MIX, "failed")), (None, Some(0)));
        let began_ns = running.clock.now_ns();
        hears.began(0, first.number, began_ns);
        running.traffic.look();
        let now = running.clock.now_ns();
        let failed = Outcome {
            began_ns,
            amounts: vec![sent(1_000_000, began_ns, now)],
            received: Some(7),
            cause: Some("it broke".to_owned()),
            ..Outcome::default()
        };
        hears.over(0, first.number, now, Some(failed));
        assert_eq!(running.traffic.live_stress(MIX, "failed"), Some(1));
        // Of those that are alive or about to be each is told to end, once.
        assert!(running.traffic.stop_stress(MIX, running.clock.now_ns()));
        let (mut alive, mut stopped) = (Vec::new(), Vec::new());
        while let Ok(order) = told.try_recv() {
            match order {
                Order::Start(made) => alive.push(made.number),
                Order::Stop(number) => stopped.push(number),
            }
        }
        assert_eq!(alive, stopped);
        alive.iter().for_each(|number| hears.over(0, *number, running.clock.now_ns(), None));
        let mut running = running;
        running.until(|notice| *notice == Notice::StressEnded(MIX)).await;
        let series = running.traffic.finish().await.stresses.remove(0);
        let record = series.streams.iter().find(|stream| stream.number == first.number).unwrap();
        assert_eq!((record.transport.as_str(), record.began_ns, record.received), ("iperf3 over udp from client", began_ns, Some(7)));
        assert!(series.streams.iter().all(|stream| !alive.contains(&stream.number)), "who never began is no stream");
        assert_eq!((series.failures[0].step.as_str(), series.failures[0].what.as_str()), ("iperf3", "it broke"));
        assert!(last(&series, StressCount::Sent) >= 1_000_000 && last(&series, StressCount::Failed) == 1);
        let doubted = series.samples.iter().any(|sample| sample.doubts.iter().any(|doubt| doubt.below + doubt.above > 0));
        assert!(doubted && series.samples.last().unwrap().doubts.is_empty(), "only in the midst of it");
    }

    #[tokio::test]
    async fn what_a_stream_that_never_ended_did_is_in_doubt() {
        let (running, told, hears) = started(said(4)).await;
        let first = start(&told);
        hears.began(0, first.number, running.clock.now_ns());
        running.traffic.stop_stress(MIX, running.clock.now_ns());
        let result = running.traffic.finish().await;
        assert_eq!(result.warnings, ["1 streams of mix that tools made did not end in time: what they told is lost"]);
        let doubt = result.stresses[0].samples.last().unwrap().doubts.iter().find(|doubt| doubt.count == StressCount::Sent as usize);
        assert!(doubt.is_some_and(|doubt| doubt.begun > 0), "{doubt:?}");
        hears.over(0, first.number, 0, None);
    }
}
