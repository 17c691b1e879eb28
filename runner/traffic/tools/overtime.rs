//! How long a client may take that ends by itself. One that waits for its server, as behind a link that fell silent for good, waits for ever: it is
//! told to end some time after its own. In: what a tool is asked; later what both its ends wrote. Out: when its client is told to end; and what
//! both told, as a failure where it came to that. Tells nobody: that is the lab's.

use scn_grammar::scenario::flow::Tool;

use super::placed::Heard;
use super::{Row, Told, Work, row, work};
use crate::plan::types::PlannedFlow;

/// A client that ends by itself has so long beyond its time, ns: neither a flow nor a stream's place waits longer for one that hangs.
const OVERTIME_NS: u64 = 5_000_000_000;

/// A client is told to end so long after its start, ns; `None`: it ends by itself, or when the flow is stopped.
pub(super) fn stop_after(row: &Row, work: &Work<'_>) -> Option<u64> {
    if (row.ends)(work) { most(row, work) } else { work.load.duration_ns }
}

/// A client that ends by itself lasts no longer unless it hangs, ns; `None`: nobody can say.
fn most(row: &Row, work: &Work<'_>) -> Option<u64> {
    // Without a server there is nobody to wait for, and time may be lost between what it sends by number.
    let known = row.server.is_some() && (row.ends)(work) && !row.options.lengthen(work.arguments);
    work.load.duration_ns.filter(|_| known).map(|ns| ns.saturating_add(OVERTIME_NS))
}

/// The client should have ended by itself, and had to be told.
fn overdue(row: &Row, work: &Work<'_>, heard: &Heard) -> bool {
    let client = &heard.client;
    let told_after = client.told_ns.map(|at| at.saturating_sub(client.started_ns).max(0).unsigned_abs());
    told_after.zip(most(row, work)).is_some_and(|(after, most)| after >= most)
}

/// Why a client has failed that did not end, with what it or its server had to say.
fn late(words: Option<&str>) -> String {
    let seconds = OVERTIME_NS / 1_000_000_000;
    let words = words.map_or_else(String::new, |words| format!(": {words}"));
    format!("it had not ended {seconds}s after its time{words}")
}

/// What both ends of a flow or of a stream told.
pub(super) fn told(flow: &PlannedFlow, tool: &Tool, heard: &Heard) -> Told {
    let (row, work) = (row(tool.kind), work(flow, tool));
    let mut told = (row.read)(&work, heard);
    if overdue(row, &work, heard) {
        let words = (!told.errors.is_empty()).then(|| told.errors.remove(0).1);
        told.errors.insert(0, (heard.client.ended_ns, late(words.as_deref())));
        told.cut_short = true;
    }
    told
}

#[cfg(test)]
mod tests {
    use super::super::commands;
    use super::super::placed::{End, Line};
    use super::super::series::tests::work as made;
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn one_that_waits_for_its_server_is_told_to_end_at_last() {
        let after_ms = |rest: &str| commands(&made(rest).flow, true).unwrap().stop_after_ns.map(|ns| ns / 1_000_000);
        for waits in [
            "via iperf3 { duration 5s }",
            "over udp via iperf3 { duration 5s  arguments \"--reverse\" }",
            "via iperf { duration 5s }",
            "via netperf { duration 5s }",
            // Behind the two strokes that is the size of a buffer.
            "via netperf { duration 5s  arguments \"-- -s 65536\" }",
        ] {
            assert_eq!(after_ms(waits), Some(10_000), "{waits}");
        }
        assert_eq!(after_ms("via iperf3 { duration 1500ms }"), Some(1_500), "it knows whole seconds only");
        for ends in [
            "via ping { rate 300/s  duration 5s }",
            "via ping { total 3 }",
            "via iperf3 { arguments \"-n 1M\" }\ntimeline { at 1s mark x }",
            "via iperf { duration 5s  arguments \"--txdelay-time 9\" }",
            "via netperf { duration 5s  arguments \"-i10,3\" }",
        ] {
            assert_eq!(after_ms(ends), None, "{ends}");
        }
    }

    #[test]
    fn one_that_had_to_be_told_says_so_and_what_it_had_to_say() {
        let flow = made("via iperf { duration 2s }").flow;
        let told = |after_ms: i64, words: &[&str]| {
            let line = |words: &&str| Line { at_ns: 0, errors: true, text: (*words).to_owned() };
            let lines = words.iter().map(line).collect();
            let client = End { started_ns: 100 * MS, told_ns: Some((100 + after_ms) * MS), ended_ns: 9_000 * MS, lines, ..End::default() };
            let told = told(&flow, flow.tool.as_ref().unwrap(), &Heard { client, server: None });
            (told.errors.into_iter().map(|(_, words)| words).collect::<Vec<String>>(), told.cut_short)
        };
        let failed = |words: &str| (vec![words.to_owned()], true);
        assert_eq!(told(7_000, &[]), failed("it had not ended 5s after its time"));
        assert_eq!(told(7_000, &["write failed: x"]), failed("it had not ended 5s after its time: write failed: x"));
        assert_eq!(told(6_999, &[]), (Vec::new(), true), "somebody else told it before");
    }
}
