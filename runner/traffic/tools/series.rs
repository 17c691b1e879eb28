//! From what tools told to the series of their flows. In: a planned flow and what both ends of each of its starts wrote. Out: its series, as
//! if scn had measured it. Reads no output: that is each tool's own.

use scn_reports::record::flow::{Connection, ConnectionEnd, Item, ItemOutcome, MAX_ITEMS, NEVER};
use scn_reports::record::packet::{Datagrams, Packet, PacketFate, PacketWay};
use scn_reports::record::tool::{Report, ToolRecord};

use super::ping::Echo;
use super::placed::Heard;
use super::{Told, overtime};
use crate::plan::types::PlannedFlow;
use crate::traffic::series::{FailureKind, FlowSeries};

/// Kinds of failures that are kept.
const MAX_FAILURES: usize = 50;

/// The series of a flow that a tool made. `starts`: when each was meant to start, ns, and what was heard of it.
#[must_use]
pub fn series(flow: &PlannedFlow, starts: &[(i64, Heard)], finished: bool) -> FlowSeries {
    let Some(tool) = &flow.tool else { return FlowSeries::default() };
    let mut series = FlowSeries { finished, ..FlowSeries::default() };
    let mut record = ToolRecord { name: tool.kind.word().to_owned(), ..ToolRecord::default() };
    let mut packets = Vec::new();
    for (at_ns, heard) in starts {
        let told = overtime::told(flow, tool, &together(heard));
        let stopped = heard.client.ended_ns.max(*at_ns);
        series.ran_ns.push((*at_ns, stopped));
        // Of a client that failed nobody knows what came after its last words.
        if told.cut_short {
            let last = told.reports.iter().filter(|report| report.receiver).map(|report| report.to_ns);
            let last = last.chain(told.echoes.iter().map(|echo| echo.sent_ns)).max().unwrap_or(*at_ns);
            series.truncated_at_ns = Some(series.truncated_at_ns.map_or(last, |known: i64| known.min(last)));
        }
        if heard.client.cut {
            failed(&mut series, tool.kind.word(), "it wrote more than scn keeps", stopped);
        }
        record.error_ns = record.error_ns.max(u64::try_from(told.error_ns).unwrap_or(0));
        for (at, words) in &told.errors {
            record.errors_ns.push((*at).clamp(*at_ns, stopped));
            failed(&mut series, tool.kind.word(), words, *at);
        }
        take(flow, told, (*at_ns, stopped), &mut series, &mut record, &mut packets);
    }
    record.unsure.sort_by_key(|report| report.from_ns);
    record.reports.sort_by_key(|report| (report.from_ns, report.to_ns, report.receiver));
    record.errors_ns.sort_unstable();
    series.items.sort_by_key(|item| (item.done_ns == NEVER, item.done_ns, item.intended_ns));
    series.failures.truncate(MAX_FAILURES);
    if !packets.is_empty() {
        let limit_ns = flow.timeouts.response_ns.unwrap_or(0);
        series.datagrams = Some(Datagrams { limit_ns, packets, ..Datagrams::default() });
    }
    series.tool = Some(record);
    series
}

/// A server that stood ready has nothing to tell before its client begins.
pub(super) fn together(heard: &Heard) -> Heard {
    let mut heard = heard.clone();
    if let Some(server) = &mut heard.server {
        server.started_ns = server.started_ns.max(heard.client.started_ns);
        server.ended_ns = server.ended_ns.max(server.started_ns);
    }
    heard
}

/// Takes in what was told of one start, within its time.
fn take(
    flow: &PlannedFlow,
    told: Told,
    (from_ns, to_ns): (i64, i64),
    series: &mut FlowSeries,
    record: &mut ToolRecord,
    packets: &mut Vec<Packet>,
) {
    let inside = |at: i64| at.clamp(from_ns, to_ns);
    let placed = |report: Report| Report { from_ns: inside(report.from_ns), to_ns: inside(report.to_ns), ..report };
    record.reports.extend(told.reports.into_iter().map(placed));
    record.unsure.extend(told.unsure.into_iter().map(placed));
    let first = u32::try_from(series.connections.len()).unwrap_or(u32::MAX);
    series.connections.extend(told.streams.into_iter().map(|(local, remote)| Connection {
        opened_ns: from_ns,
        established_ns: from_ns,
        handshake_ns: 0,
        closed_ns: to_ns,
        end: ConnectionEnd::Closed,
        successor_of: u32::MAX,
        backend: flow.backends.first().map_or(u16::MAX, |node| u16::try_from(node.0).unwrap_or(u16::MAX)),
        transactions: 0,
        local,
        remote,
    }));
    series.tcp.extend(told.tcp.into_iter().map(|mut sample| {
        (sample.at_ns, sample.connection) = (inside(sample.at_ns), sample.connection.saturating_add(first));
        sample
    }));
    series.tcp.sort_by_key(|sample| sample.at_ns);
    for echo in told.echoes.into_iter().take(MAX_ITEMS.saturating_sub(series.items.len())) {
        if let Some((at, why)) = &echo.refused {
            failed(series, &format!("echo request to {}", flow.host()), why, *at);
        }
        series.items.push(item(flow, &echo));
        packets.extend(round(&echo));
    }
}

/// An echo as an item.
fn item(flow: &PlannedFlow, echo: &Echo) -> Item {
    let answer = echo.answers_ns.first().copied();
    let outcome = match answer {
        Some(_) => ItemOutcome::Done,
        None if echo.unseen => ItemOutcome::Unfinished,
        None => ItemOutcome::Failed,
    };
    let answered = |bytes| if answer.is_some() { bytes } else { 0 };
    Item {
        intended_ns: echo.sent_ns,
        sent_ns: echo.sent_ns,
        done_ns: answer.or(echo.refused.as_ref().map(|(at, _)| *at)).unwrap_or(NEVER),
        lag_ns: 0,
        connection: 0,
        backend: match (answer, flow.backends.as_slice()) {
            (Some(_), [node]) => u16::try_from(node.0).unwrap_or(u16::MAX),
            _ => u16::MAX,
        },
        outcome,
        status: 0,
        forward_bytes: answered(echo.bytes),
        back_bytes: answered(echo.bytes),
    }
}

/// An echo and its copies as packets that went there and back.
fn round(echo: &Echo) -> Vec<Packet> {
    let packet = |fate, received_ns| Packet {
        way: PacketWay::Round,
        fate,
        connection: 0,
        sent_ns: echo.sent_ns,
        received_ns,
        asked_ns: echo.sent_ns,
    };
    if echo.answers_ns.is_empty() {
        return vec![packet(if echo.unseen { PacketFate::Unseen } else { PacketFate::Lost }, NEVER)];
    }
    let fate = |at| if at == 0 { PacketFate::Arrived } else { PacketFate::Copy };
    echo.answers_ns.iter().enumerate().map(|(at, received_ns)| packet(fate(at), *received_ns)).collect()
}

/// Counts a failure.
fn failed(series: &mut FlowSeries, step: &str, what: &str, at_ns: i64) {
    if let Some(known) = series.failures.iter_mut().find(|known| known.step == step && known.what == what) {
        known.count += 1;
        (known.first_ns, known.last_ns) = (known.first_ns.min(at_ns), known.last_ns.max(at_ns));
        return;
    }
    let (step, what) = (step.to_owned(), what.to_owned());
    series.failures.push(FailureKind { step, what, span: None, count: 1, first_ns: at_ns, last_ns: at_ns });
}

#[cfg(test)]
pub(in crate::traffic::tools) mod tests {
    use super::super::placed::{End, Line};
    use super::super::{Work, clashes, work as work_of};
    use super::*;
    use crate::plan::sample;

    /// A flow of a scenario.
    pub struct Made {
        /// As it is planned.
        pub flow: PlannedFlow,
    }

    impl Made {
        /// What its tool is asked.
        pub fn work(&self) -> Work<'_> {
            work_of(&self.flow, self.flow.tool.as_ref().unwrap())
        }
    }

    /// A flow from 10.0.0.1 to 10.0.0.2, by the rest of its declaration.
    pub fn work(rest: &str) -> Made {
        let topology = "topology { node a, b\n link a 10.0.0.1/24 <-> b 10.0.0.2/24 }";
        let mut plan = sample::plan(&format!("{topology}\nflow f from a to b {rest}\nexpect {{ f.errors == 0 }}")).unwrap();
        Made { flow: plan.flows.remove(0) }
    }

    const MS: i64 = 1_000_000;

    #[test]
    fn echoes_are_items_and_packets() {
        let made = work("via ping { rate 10/s  duration 200ms }");
        let line = |ms: i64, text: &str| Line { at_ns: ms * MS, errors: false, text: text.to_owned() };
        let lines = vec![
            line(3, "64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=2.0 ms"),
            line(4, "64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=3.0 ms (DUP!)"),
            line(1300, "2 packets transmitted, 1 received"),
        ];
        let end = End { started_ns: 0, ended_ns: 1300 * MS, status: Some(0), lines, ..End::default() };
        let series = series(&made.flow, &[(0, Heard { client: end, server: None })], true);
        assert_eq!(series.items.iter().map(|i| i.outcome).collect::<Vec<_>>(), [ItemOutcome::Done, ItemOutcome::Failed]);
        let fates: Vec<PacketFate> = series.datagrams.unwrap().packets.iter().map(|p| p.fate).collect();
        assert_eq!(fates, [PacketFate::Arrived, PacketFate::Copy, PacketFate::Lost]);
        assert_eq!((series.ran_ns, series.truncated_at_ns), (vec![(0, 1300 * MS)], None));
        let tool = series.tool.unwrap();
        assert_eq!((tool.name.as_str(), tool.reports.len(), tool.errors_ns.len()), ("ping", 0, 0));
    }

    #[test]
    fn a_failure_ends_what_is_known() {
        let made = work("via iperf3 { duration 2s }");
        let text = include_str!("samples/iperf3_deserted_client.json");
        let lines = text.lines().map(|text| Line { at_ns: 800 * MS, errors: false, text: text.to_owned() }).collect();
        let client = End { started_ns: 0, ended_ns: 800 * MS, status: Some(0), lines, ..End::default() };
        let server = End { ended_ns: 750 * MS, status: Some(137), ..End::default() };
        let series = series(&made.flow, &[(0, Heard { client, server: Some(server) })], true);
        assert_eq!(series.truncated_at_ns, Some(0), "the receiver told nothing");
        assert_eq!(series.failures[0].what, "control socket has closed unexpectedly");
        assert_eq!(series.tool.unwrap().errors_ns, [750 * MS, 800 * MS]);
    }

    #[test]
    fn a_client_that_had_to_be_told_to_end_has_failed() {
        let made = work("via iperf3 { duration 2s }");
        let failure = |told_ms: i64| {
            let text = include_str!("samples/iperf3_stopped_client.json");
            let lines = text.lines().map(|text| Line { at_ns: 7100 * MS, errors: false, text: text.to_owned() }).collect();
            let client = End { ended_ns: 7100 * MS, status: Some(1), lines, told_ns: Some(told_ms * MS), ..End::default() };
            let series = series(&made.flow, &[(0, Heard { client, server: None })], true);
            let words = series.failures.first().map(|failure| failure.what.clone());
            (words, series.tool.unwrap().errors_ns, series.truncated_at_ns.is_some())
        };
        assert_eq!(failure(7_000), (Some("it had not ended 5s after its time".to_owned()), vec![7100 * MS], true));
        assert_eq!(failure(1_000), (None, Vec::new(), false), "the flow was stopped");
    }

    #[test]
    fn arguments_that_scn_gives_are_told() {
        let names = |rest: &str| clashes(&work(rest).flow).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names("via iperf3 { duration 1s  arguments \"-P 2 -R\" }"), Vec::<String>::new());
        assert_eq!(super::super::beyond(&work("via iperf3 { duration 1s }").flow), []);
    }
}
