//! Streams of a stress that tools make. In: a kind of stream with what was drawn for one; later what both its ends wrote. Out: the flow that it is; how it
//! went, as amounts with the stretches of time in which they came. Keeps no report.

use scn_grammar::scenario::flow::ToolKind;
use scn_grammar::scenario::pattern::Varying;
use scn_reports::record::stress::StressCount;
use scn_reports::record::tool::Report;

use super::ping::Echo;
use super::placed::Heard;
use super::series::together;
use super::{Told, has_server, overtime, row, work};
use crate::plan::types::PlannedFlow;
use crate::traffic::datagram;
use crate::traffic::stress::made::Outcome;
use crate::traffic::stress::told::{Amount, Answer};

const BITS_PER_BYTE: u64 = 8;
/// Nothing sends faster: of what a tool did not live to tell there was no more, each second.
const MOST_PACKETS: u64 = 100_000_000;
/// The same of payload, bytes.
const MOST_BYTES: u64 = 100_000_000_000;

/// The flow that a stream is. Out with it: after so long its client is told to end, ns.
#[must_use]
pub fn drawn(kind: &PlannedFlow, duration_ns: u64, size: u64) -> (PlannedFlow, u64) {
    let mut flow = kind.clone();
    let Some(tool) = &kind.tool else { return (flow, duration_ns) };
    let load = &mut flow.load;
    let sized = tool.kind != ToolKind::Netperf;
    load.size = sized.then_some(Varying::Fixed(size));
    if !has_server(tool.kind) {
        // By the number of its echoes it would end before the time is over.
        load.duration_ns = None;
        return (flow, duration_ns);
    }
    load.duration_ns = Some(duration_ns);
    // So many messages a second, of tools that know bits.
    let bits = load.rate_nano.take().map(|rate| u128::from(rate) * u128::from(size * BITS_PER_BYTE) / 1_000_000_000);
    load.bandwidth_bps = bits.map(|bits| u64::try_from(bits).unwrap_or(u64::MAX).max(1));
    let stop_after_ns = overtime::stop_after(row(tool.kind), &work(&flow, tool)).unwrap_or(duration_ns);
    (flow, stop_after_ns)
}

/// How a stream went.
#[must_use]
pub fn outcome(flow: &PlannedFlow, heard: &Heard) -> Outcome {
    let Some(tool) = &flow.tool else { return Outcome::default() };
    let heard = together(heard);
    let told = overtime::told(flow, tool, &heard);
    let server = heard.server.as_ref().map_or(heard.client.ended_ns, |server| server.ended_ns);
    let stretch = (heard.client.started_ns, server.max(heard.client.ended_ns));
    let mut outcome = Outcome { began_ns: heard.client.started_ns, ..Outcome::default() };
    outcome.amounts = of_reports(&told, &heard, stretch);
    let mut refused = None;
    for echo in &told.echoes {
        outcome.amounts.extend(of_echo(flow, echo, stretch));
        outcome.answers.extend(echo.answers_ns.first().map(|at| Answer { at_ns: *at, took_ns: (at - echo.sent_ns).unsigned_abs() }));
        refused = refused.or(echo.refused.as_ref().map(|(_, why)| why.clone()));
    }
    let counts = counts(flow, tool.kind);
    let sum = |what| outcome.amounts.iter().filter(|amount| amount.sure && amount.what == what).map(|amount| amount.count).sum::<u64>();
    let (received, lost) = (sum(StressCount::Received), sum(StressCount::Lost));
    outcome.received = counts.contains(&StressCount::Received).then_some(received);
    // Datagrams may be lost; a stream of them has failed when nothing of it arrived.
    let nothing = datagram::carries(flow) && received == 0 && lost > 0;
    let nothing = nothing.then(|| refused.unwrap_or_else(|| format!("nothing of it came through, {lost} lost")));
    outcome.cause = told.errors.first().map(|(_, words)| words.clone()).or(nothing);
    for what in counts {
        let last = last_word(&told, what);
        if !told.silent && (told.cut_short || last.is_none()) {
            outcome.amounts.push(untold(what, last.unwrap_or(stretch.0).max(stretch.0), stretch.1));
        }
    }
    outcome
}

/// What nobody told of a count between two instants.
pub fn untold(what: StressCount, from_ns: i64, to_ns: i64) -> Amount {
    let seconds = 1 + to_ns.saturating_sub(from_ns).max(0).unsigned_abs() / 1_000_000_000;
    let most = if matches!(what, StressCount::ForwardBytes | StressCount::BackBytes) { MOST_BYTES } else { MOST_PACKETS };
    Amount { what, count: most.saturating_mul(seconds), from_ns, to_ns: to_ns.max(from_ns), sure: false }
}

/// What a tool counts of its streams. Of a connection that carries a stream of bytes it knows no messages.
pub fn counts(flow: &PlannedFlow, tool: ToolKind) -> Vec<StressCount> {
    let messages = [StressCount::Sent, StressCount::Received, StressCount::Lost];
    match tool {
        ToolKind::Ping => [messages.as_slice(), &[StressCount::ForwardBytes, StressCount::BackBytes]].concat(),
        ToolKind::Iperf3 | ToolKind::Iperf if datagram::carries(flow) => [messages.as_slice(), &[StressCount::ForwardBytes]].concat(),
        ToolKind::Iperf3 | ToolKind::Iperf | ToolKind::Netperf => vec![StressCount::ForwardBytes],
    }
}

/// The last instant of which something is told of a count.
fn last_word(told: &Told, what: StressCount) -> Option<i64> {
    let by_receiver = what != StressCount::Sent;
    let reports = told.reports.iter().filter(|report| report.receiver == by_receiver).map(|report| report.to_ns - told.error_ns);
    reports.chain(told.echoes.iter().map(|echo| echo.sent_ns)).max()
}

/// What the reports of both ends count, each within its stretch and the error of that.
fn of_reports(told: &Told, heard: &Heard, (from_ns, to_ns): (i64, i64)) -> Vec<Amount> {
    let amount = |report: &Report, what, count: i64, sure| Amount {
        what,
        count: u64::try_from(count).unwrap_or(0),
        from_ns: report.from_ns.saturating_sub(told.error_ns).clamp(from_ns, to_ns),
        // Who has ended sends nothing.
        to_ns: report
            .to_ns
            .saturating_add(told.error_ns)
            .clamp(from_ns, if report.receiver { to_ns } else { heard.client.ended_ns.max(from_ns) }),
        sure,
    };
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let mut amounts = Vec::new();
    for report in told.reports.iter().filter(|report| report.datagrams) {
        let what = if report.receiver { StressCount::Received } else { StressCount::Sent };
        amounts.push(amount(report, what, number(report.packets), true));
    }
    for report in told.reports.iter().filter(|report| report.receiver) {
        let what = if report.back { StressCount::BackBytes } else { StressCount::ForwardBytes };
        amounts.push(amount(report, what, number(report.bytes), true));
    }
    let lost = told.reports.iter().filter(|report| report.datagrams && report.receiver);
    amounts.extend(net(lost).into_iter().map(|(report, lost)| amount(report, StressCount::Lost, lost, true)));
    amounts.extend(unreported(told, heard, from_ns));
    amounts.extend(told.unsure.iter().map(|report| amount(report, StressCount::Lost, report.lost, false)));
    amounts
}

/// Datagrams that the sending end does not report and the receiving end knows of: what arrived was sent, after the last that was reported.
fn unreported(told: &Told, heard: &Heard, from_ns: i64) -> Option<Amount> {
    let sum = |receiver: bool| {
        let reports = told.reports.iter().filter(move |report| report.datagrams && report.receiver == receiver);
        reports.map(|report| i64::try_from(report.packets).unwrap_or(i64::MAX).saturating_add(report.lost)).fold(0, i64::saturating_add)
    };
    let count = u64::try_from(sum(true).saturating_sub(sum(false))).ok().filter(|count| *count > 0)?;
    let to_ns = heard.client.ended_ns.max(from_ns);
    let last = last_word(told, StressCount::Sent).unwrap_or(from_ns).clamp(from_ns, to_ns);
    Some(Amount { what: StressCount::Sent, count, from_ns: last, to_ns, sure: true })
}

/// What is lost in the end: what came late had been counted as lost before.
fn net<'r>(reports: impl Iterator<Item = &'r Report>) -> Vec<(&'r Report, i64)> {
    let mut sorted: Vec<(&Report, i64)> = reports.map(|report| (report, report.lost)).collect();
    sorted.sort_by_key(|(report, _)| report.to_ns);
    let mut late = 0;
    for (_, lost) in sorted.iter_mut().rev() {
        late += (-*lost).max(0);
        let found = late.min((*lost).max(0));
        (*lost, late) = ((*lost).max(0) - found, late - found);
    }
    sorted
}

/// What an echo counts.
fn of_echo(flow: &PlannedFlow, echo: &Echo, (from_ns, to_ns): (i64, i64)) -> Vec<Amount> {
    let at = |what, count, at: i64| Amount { what, count, from_ns: at.clamp(from_ns, to_ns), to_ns: at.clamp(from_ns, to_ns), sure: true };
    let mut amounts = vec![at(StressCount::Sent, 1, echo.sent_ns)];
    match (echo.answers_ns.first(), echo.unseen) {
        (Some(answer), _) => {
            amounts.push(at(StressCount::Received, 1, *answer));
            amounts.push(at(StressCount::ForwardBytes, u64::from(echo.bytes), *answer));
            amounts.push(at(StressCount::BackBytes, u64::from(echo.bytes), *answer));
        }
        (None, true) => amounts.push(Amount { to_ns, sure: false, ..at(StressCount::Lost, 1, echo.sent_ns) }),
        (None, false) => {
            let given_up = echo.sent_ns.saturating_add(datagram::response_limit(flow));
            amounts.push(at(StressCount::Lost, 1, echo.refused.as_ref().map_or(given_up, |(at, _)| *at)));
        }
    }
    amounts
}

#[cfg(test)]
mod tests {
    use super::super::placed::{End, Line};
    use super::super::series::tests::work;
    use super::*;

    const MS: i64 = 1_000_000;

    fn end(text: &str, until_ms: i64, status: i32) -> End {
        let lines = text.lines().map(|text| Line { at_ns: until_ms * MS, errors: false, text: text.to_owned() }).collect();
        End { started_ns: 0, ended_ns: until_ms * MS, status: Some(status), lines, ..End::default() }
    }

    fn sum(outcome: &Outcome, what: StressCount) -> u64 {
        outcome.amounts.iter().filter(|amount| amount.sure && amount.what == what).map(|amount| amount.count).sum()
    }

    fn may(outcome: &Outcome, what: StressCount) -> Vec<(i64, i64)> {
        let of = outcome.amounts.iter().filter(|amount| !amount.sure && amount.what == what);
        of.map(|amount| (amount.from_ns / MS, amount.to_ns / MS)).collect()
    }

    #[test]
    fn a_connection_counts_bytes_alone() {
        let client = end(include_str!("samples/iperf3_tcp_client.json"), 1100, 0);
        let server = end(include_str!("samples/iperf3_tcp_server.json"), 1100, 0);
        let outcome = outcome(&work("via iperf3 { duration 1s }").flow, &Heard { client, server: Some(server) });
        // `end.sum_received.bytes` of the server's document.
        assert_eq!(sum(&outcome, StressCount::ForwardBytes), 2_129_657_856);
        let messages = [StressCount::Sent, StressCount::Received, StressCount::Lost].map(|what| sum(&outcome, what));
        assert_eq!((messages, outcome.received, outcome.cause), ([0; 3], None, None));
        assert!(outcome.amounts.iter().all(|amount| amount.from_ns >= 0 && amount.to_ns <= 1100 * MS && amount.sure));
        let error = outcome.amounts[0].to_ns - outcome.amounts[0].from_ns;
        assert!(error > 100 * MS, "a report and the error of its instants: {error}");
    }

    #[test]
    fn datagrams_count_at_both_ends() {
        let client = end(include_str!("samples/iperf3_udp_client.json"), 1100, 0);
        let server = end(include_str!("samples/iperf3_udp_server.json"), 1100, 0);
        let outcome = outcome(&work("via iperf3 { over udp  duration 1s }").flow, &Heard { client, server: Some(server) });
        let (sent, received, lost) = (StressCount::Sent, StressCount::Received, StressCount::Lost);
        let (sent, received, lost) = (sum(&outcome, sent), sum(&outcome, received), sum(&outcome, lost));
        assert!(sent > 0 && received > 0 && received + lost <= sent, "{sent} {received} {lost}");
        assert_eq!((outcome.received, outcome.cause), (Some(received), None));
    }

    #[test]
    fn what_a_tool_did_not_live_to_tell_may_have_come() {
        let client = end(include_str!("samples/iperf3_deserted_client.json"), 800, 0);
        let server = End { ended_ns: 750 * MS, status: Some(137), ..End::default() };
        let outcome = outcome(&work("via iperf3 { duration 2s }").flow, &Heard { client, server: Some(server) });
        assert_eq!(outcome.cause.as_deref(), Some("control socket has closed unexpectedly"));
        assert_eq!(may(&outcome, StressCount::ForwardBytes), [(0, 800)], "the receiver told nothing");
        assert_eq!(may(&outcome, StressCount::Sent), [], "of messages it knows nothing");
    }

    #[test]
    fn a_client_that_hangs_has_failed() {
        let cause = |ended_ms: i64, told: bool| {
            let client = End { told_ns: told.then_some((ended_ms - 100) * MS), ..end("", ended_ms, 0) };
            outcome(&work("via iperf { duration 2s }").flow, &Heard { client, server: None }).cause
        };
        assert_eq!(cause(7_100, true).as_deref(), Some("it had not ended 5s after its time"));
        assert_eq!(cause(1_000, true), None, "the stress was stopped");
        assert_eq!(cause(1_000, false).as_deref(), Some("it reported nothing"));
    }

    #[test]
    fn what_arrived_was_sent() {
        let report = |receiver, packets, lost| Report {
            from_ns: 0,
            to_ns: 100 * MS,
            back: false,
            receiver,
            datagrams: true,
            bytes: 0,
            packets,
            lost,
            reordered: 0,
            jitter_ns: -1,
        };
        let mut told = Told { reports: vec![report(false, 7, 0), report(true, 8, 1)], error_ns: 10 * MS, ..Told::default() };
        let heard = Heard { client: end("", 300, 0), server: None };
        let sent = Amount { what: StressCount::Sent, count: 2, from_ns: 90 * MS, to_ns: 300 * MS, sure: true };
        assert_eq!(unreported(&told, &heard, 0), Some(sent));
        told.reports[0].packets = 9;
        assert_eq!(unreported(&told, &heard, 0), None);
    }

    #[test]
    fn echoes_count_one_by_one() {
        let text = "64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=2.0 ms";
        let mut client = end(text, 300, 0);
        client.lines[0].at_ns = 3 * MS;
        client.lines.push(Line { at_ns: 300 * MS, errors: false, text: "3 packets transmitted, 1 received".to_owned() });
        client.told_ns = Some(299 * MS);
        let flow = work("via ping { rate 10/s }\ntimeline { at 1s mark x }").flow;
        let outcome = outcome(&flow, &Heard { client, server: None });
        assert_eq!((sum(&outcome, StressCount::Sent), outcome.received, &outcome.cause), (3, Some(1), &None));
        assert_eq!(outcome.answers, [Answer { at_ns: 3 * MS, took_ns: 2_000_000 }]);
        assert_eq!((sum(&outcome, StressCount::Lost), may(&outcome, StressCount::Lost)), (0, vec![(101, 300), (201, 300)]), "nobody saw");
        assert_eq!(sum(&outcome, StressCount::BackBytes), 56);
    }

    #[test]
    fn nothing_that_came_through_is_a_failure() {
        let client = end("2 packets transmitted, 0 received, 100% packet loss", 1300, 1);
        let outcome = outcome(&work("via ping { rate 10/s  duration 200ms }").flow, &Heard { client, server: None });
        assert_eq!(outcome.cause.as_deref(), Some("nothing of it came through, 2 lost"));
    }

    #[test]
    fn what_came_late_is_not_lost() {
        let report = |at: i64, lost| Report {
            from_ns: at,
            to_ns: at + 1,
            back: false,
            receiver: true,
            datagrams: true,
            bytes: 0,
            packets: 0,
            lost,
            reordered: 0,
            jitter_ns: -1,
        };
        let reports = [report(0, 2), report(1, 3), report(2, -4), report(3, 5)];
        assert_eq!(net(reports.iter()).iter().map(|(_, lost)| *lost).collect::<Vec<_>>(), [1, 0, 0, 5]);
    }

    #[test]
    fn what_is_drawn_becomes_arguments() {
        let told = |rest: &str, duration_ms: u64| {
            let mut kind = work(rest).flow;
            kind.load.rate_nano = Some(10_000_000_000);
            let (flow, stop) = drawn(&kind, duration_ms * 1_000_000, 1000);
            (super::super::commands(&flow, false).unwrap().client.words(), stop)
        };
        assert_eq!(
            told("via ping { rate 10/s  duration 9s }", 350),
            ("ping -n -D -O -i 0.1 -W 1 -s 1000 10.0.0.2".to_owned(), 350_000_000)
        );
        let (words, stop) = told("via iperf3 { over udp  duration 9s }", 350);
        assert!(words.ends_with("-J -i 0.1 -t 0 -b 80000 -l 1000 -u") && stop == 350_000_000, "{words}");
        assert_eq!(told("via iperf3 { duration 9s }", 2000).1, 7_000_000_000, "it ends by itself, or has hung");
    }
}
