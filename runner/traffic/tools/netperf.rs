//! netperf: one test of TCP, UDP or SCTP, a stream if nothing else is said, against `netserver`. It reports once, when it ends, the
//! values that it is asked for, as `KEY=value`: what each end has received and sent in the time that the test took.

use std::collections::BTreeMap;

use scn_grammar::scenario::flow::ToolKind;
use scn_grammar::scenario::transport::Transport;
use scn_reports::record::tool::Report;

use super::options::Options;
use super::placed::origin;
use super::{Heard, Row, Side, Told, Work, changing, words};

/// Says one that is told to end.
const INTERRUPTED: &str = "caught SIGINT";
/// What it is asked for: how long payload flowed, s, and what each end has received, bytes.
const KEYS: &str = "ELAPSED_TIME,LOCAL_BYTES_RECVD,REMOTE_BYTES_RECVD";

pub(super) const ROW: Row = Row {
    kind: ToolKind::Netperf,
    server: Some(Side { program: "netserver", arguments: server, ends: false, udp: |_| false }),
    client,
    last: &["--", "-k", KEYS],
    options: Options {
        flags: "46CcdhjrSV",
        same: &[&["-H"], &["-p"], &["-l"], &["-P"], &["-m"]],
        never: &[(&["-D", "-f", "-o", "-O", "-k", "-B", "-v", "-d"], "scn reads the output"), (&["-h", "-V"], "it makes no traffic")],
        // Tests that are repeated, and one that begins later.
        longer: &["-i", "-I", "-s"],
    },
    beyond,
    ends: |_| true,
    read,
};

fn client(work: &Work<'_>) -> Vec<String> {
    let mut all = words(["-H", &work.host(), "-p", &work.target.port().to_string(), "-P", "0"]);
    if let Some(seconds) = work.whole_seconds() {
        all.extend(words(["-l", &seconds.to_string()]));
    }
    let named = work.arguments.iter().take_while(|word| *word != "--").any(|word| word.starts_with("-t"));
    let test = match work.transport {
        Transport::Udp { .. } => "UDP_STREAM",
        Transport::Sctp { .. } => "SCTP_STREAM",
        _ => "TCP_STREAM",
    };
    all.extend((!named).then(|| words(["-t", test])).into_iter().flatten());
    all
}

fn server(work: &Work<'_>) -> Vec<String> {
    words(["-D", "-p", &work.target.port().to_string()])
}

fn beyond(work: &Work<'_>) -> Vec<(String, &'static str)> {
    let mut beyond = changing(work);
    if work.whole_seconds().is_none() {
        beyond.push((
            "a test without a `duration` of whole seconds".to_owned(),
            "it reports only at its end, which it knows in seconds: write `duration 2s`",
        ));
    }
    if work.load.size.is_some() {
        beyond.push(("`size`".to_owned(), "say it of the test: `arguments \"-- -m 1024\"`"));
    }
    beyond
}

fn read(_: &Work<'_>, heard: &Heard) -> Told {
    let mut told = Told::default();
    let end = &heard.client;
    let values: BTreeMap<&str, f64> = end
        .lines
        .iter()
        .filter(|line| !line.errors)
        .filter_map(|line| line.text.trim().split_once('='))
        .filter_map(|(key, value)| Some((key, value.parse().ok()?)))
        .collect();
    if let Some(seconds) = values.get("ELAPSED_TIME") {
        let length = (seconds * 1e9) as i64;
        let (from_ns, error) = origin(end, [(length, end.ended_ns)].into_iter());
        told.error_ns = error;
        for (key, back) in [("REMOTE_BYTES_RECVD", false), ("LOCAL_BYTES_RECVD", true)] {
            let Some(bytes) = values.get(key).filter(|bytes| **bytes > 0.0) else { continue };
            let (to_ns, bytes) = (from_ns + length, *bytes as u64);
            let counts =
                Report { from_ns, to_ns, back, receiver: true, datagrams: false, bytes, packets: 0, lost: 0, reordered: 0, jitter_ns: -1 };
            told.reports.push(counts);
        }
    }
    let (asked, nothing) = (end.told_ns.is_some(), told.reports.is_empty());
    let said =
        || end.complaint("netperf").or_else(|| end.lines.iter().rev().find(|l| !l.text.contains('=')).map(|l| l.text.trim().to_owned()));
    match end.bad_end().filter(|_| !asked) {
        Some(how) => told.errors.push((end.ended_ns, said().unwrap_or_else(|| format!("it ended with {how}")))),
        // It reports at its end alone: one that is told to end tells nothing, which is no failure.
        None if asked => {
            let fault = end.complaint("netperf").filter(|words| nothing && words != INTERRUPTED);
            told.errors.extend(fault.map(|words| (end.ended_ns, words)));
        }
        None if nothing => told.errors.push((end.ended_ns, said().unwrap_or_else(|| "it reported nothing".to_owned()))),
        None => {}
    }
    if let Some(server) = heard.server.as_ref().filter(|server| server.told_ns.is_none()) {
        let how = server.bad_end().unwrap_or_else(|| "status 0".to_owned());
        told.errors.push((server.ended_ns, format!("server: {}", server.complaint("netserver").unwrap_or(format!("it ended with {how}")))));
    }
    told.cut_short = !told.errors.is_empty() || (asked && nothing);
    told
}

#[cfg(test)]
mod tests {
    use super::super::placed::{End, Line};
    use super::super::{beyond as beyond_flow, commands};
    use super::*;
    use crate::traffic::tools::series::tests::work;

    const S: i64 = 1_000_000_000;

    fn heard(text: &str, errors: bool, status: i32) -> Heard {
        let lines = text.lines().map(|text| Line { at_ns: 2 * S, errors, text: text.to_owned() }).collect();
        Heard { client: End { started_ns: 0, ended_ns: 2 * S + S / 10, status: Some(status), lines, ..End::default() }, server: None }
    }

    #[test]
    fn what_each_end_received() {
        let flow = work("via netperf { duration 2s }");
        // In the form of its option `-k`.
        let told = read(&flow.work(), &heard("ELAPSED_TIME=2.00\nLOCAL_BYTES_RECVD=0\nREMOTE_BYTES_RECVD=2362232012\n", false, 0));
        let [only] = told.reports[..] else { panic!("{told:?}") };
        assert_eq!((only.bytes, only.back, only.to_ns - only.from_ns), (2_362_232_012, false, 2 * S));
        assert_eq!((told.error_ns, told.errors.len()), (S / 20, 0));
        let both = read(&flow.work(), &heard("ELAPSED_TIME=2.00\nLOCAL_BYTES_RECVD=100\nREMOTE_BYTES_RECVD=100\n", false, 0));
        assert_eq!(both.reports.iter().map(|r| r.back).collect::<Vec<_>>(), [false, true], "request and response");
    }

    #[test]
    fn its_failure_is_in_its_words() {
        let flow = work("via netperf { duration 2s }");
        let words = "establish control: are you sure there is a netserver listening on 10.0.0.2 at port 20000?";
        assert_eq!(read(&flow.work(), &heard(words, true, 255)).errors[0].1, words);
        assert_eq!(read(&flow.work(), &heard("", false, 0)).errors[0].1, "it reported nothing");
    }

    #[test]
    fn one_that_is_told_to_end_before_it_reports_has_not_failed() {
        let flow = work("via netperf { duration 2s }");
        let told = |text: &str, errors: bool| {
            let mut heard = heard(text, errors, 1);
            heard.client.told_ns = Some(S);
            let told = read(&flow.work(), &heard);
            (told.errors.into_iter().map(|(_, words)| words).collect::<Vec<String>>(), told.cut_short)
        };
        for silent in [("", false), ("netperf: caught SIGINT", false), ("netperf: caught SIGINT", true)] {
            assert_eq!(told(silent.0, silent.1), (Vec::new(), true), "{silent:?}: something may have come");
        }
        assert_eq!(told("netperf: send_data: data recv error", true), (vec!["send_data: data recv error".to_owned()], true));
    }

    #[test]
    fn the_test_has_its_own_arguments_behind_two_strokes() {
        let line = |head: &str| commands(&work(head).flow, true).unwrap().client.words();
        let keys = "-k ELAPSED_TIME,LOCAL_BYTES_RECVD,REMOTE_BYTES_RECVD";
        assert_eq!(line("via netperf { duration 2s }"), format!("netperf -H 10.0.0.2 -p 20000 -P 0 -l 2 -t TCP_STREAM -- {keys}"));
        assert_eq!(
            line("via netperf { duration 2s  arguments \"-t TCP_RR -- -r 1,1\" }"),
            format!("netperf -H 10.0.0.2 -p 20000 -P 0 -l 2 -t TCP_RR -- -r 1,1 {keys}")
        );
        assert_eq!(beyond_flow(&work("via netperf { duration 2s }").flow), []);
    }
}
