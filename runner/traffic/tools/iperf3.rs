//! iperf3: one connection of control and one or more streams of payload, over TCP, UDP or SCTP, to the server, from it, or both ways. Each end
//! writes one JSON document when it ends, with a report for each stream and interval; the receiving end's are what arrived.
//!
//! The document has no instants but whole seconds: its time 0 lies between the client's start and its end less its last report.

use std::collections::BTreeSet;

use scn_grammar::scenario::flow::ToolKind;
use scn_grammar::scenario::transport::Transport;
use scn_reports::record::flow::TcpSample;
use scn_reports::record::tool::Report;
use serde_json::Value;

use super::options::Options;
use super::placed::{End, origin};
use super::{Heard, Row, Side, Told, Work, changing, streams, words};

/// What takes so much of a segment of the path's MTU: headers of IPv4 and TCP with and without timestamps, of IPv6 too.
const HEADERS: [u64; 4] = [52, 40, 72, 60];
/// What timestamps take of a segment, bytes.
const TIMESTAMPS: u64 = 12;

/// Says one that is told to end.
const TERMINATED: &str = "the client has terminated";
/// The status of one that SIGINT ended.
const INTERRUPTED: i32 = 128 + 2;

pub(super) const ROW: Row = Row {
    kind: ToolKind::Iperf3,
    server: Some(Side { program: "iperf3", arguments: server, ends: true, udp: |_| false }),
    client,
    last: &[],
    options: Options {
        flags: "uRNZ46VdhvJ1",
        same: &[
            &["-c", "--client"],
            &["-p", "--port"],
            &["-J", "--json"],
            &["-i", "--interval"],
            &["-t", "--time", "-n", "--bytes", "-k", "--blockcount"],
            &["-P", "--parallel"],
            &["-b", "--bitrate", "--bandwidth"],
            &["-l", "--length", "--len"],
            &["-u", "--udp", "--sctp"],
            &["-C", "--congestion", "--linux-congestion"],
            &["-N", "--no-delay", "--nodelay"],
            &["-M", "--set-mss"],
            &["--dscp", "-S", "--tos"],
        ],
        never: &[
            (&["-u", "--udp"], "write `over udp`"),
            (&["--sctp"], "write `over sctp`"),
            (&["-s", "--server", "-D", "--daemon", "-1", "--one-off"], "scn starts the server"),
            (
                &["--logfile", "--json-stream", "-f", "--format", "-T", "--title", "--timestamps", "-V", "--verbose", "-d", "--debug"],
                "scn reads the output",
            ),
            (&["-v", "--version", "-h", "--help"], "it makes no traffic"),
            (&["-O", "--omit"], "its report begins anew behind what it leaves out; leave out the first seconds by `during`"),
        ],
        longer: &[],
    },
    beyond: changing,
    ends: |work| work.whole_seconds().is_some(),
    read,
};

fn client(work: &Work<'_>) -> Vec<String> {
    let mut all = words(["-c", &work.host(), "-p", &work.target.port().to_string(), "-J", "-i", &work.every()]);
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            all.extend(words([name, &value]));
        }
    };
    // 0: until it is told to end.
    let own_end = work.says(&["-t", "--time", "-n", "--bytes", "-k", "--blockcount"]) && work.load.duration_ns.is_none();
    add("-t", (!own_end).then(|| work.whole_seconds().unwrap_or(0).to_string()));
    add("-P", (work.load.connections > 1).then(|| work.load.connections.to_string()));
    // Its rate is that of each stream.
    add("-b", work.load.bandwidth_bps.map(|bits| (bits / streams(work)).max(1).to_string()));
    add("-l", work.size().map(|bytes| bytes.to_string()));
    if let Some(socket) = work.socket() {
        add("-C", socket.congestion.clone());
        add("-M", socket.mss.map(|mss| mss.to_string()));
        add("--dscp", socket.dscp.map(|dscp| dscp.to_string()));
        all.extend((socket.nodelay == Some(true)).then(|| "-N".to_owned()));
    }
    match work.transport {
        Transport::Udp { .. } => all.push("-u".to_owned()),
        Transport::Sctp { .. } => all.push("--sctp".to_owned()),
        _ => {}
    }
    all
}

fn server(work: &Work<'_>) -> Vec<String> {
    words(["-s", "-1", "-J", "-i", &work.every(), "-p", &work.target.port().to_string()])
}

/// Reads both documents.
fn read(work: &Work<'_>, heard: &Heard) -> Told {
    let mut told = Told::default();
    let document = |end: &End| serde_json::from_str::<Value>(&end.output()).ok();
    let client = document(&heard.client);
    if let Some(document) = &client {
        one_end(work, &heard.client, document, false, &mut told);
    }
    let server = heard.server.as_ref().and_then(|end| Some((end, document(end)?)));
    match &server {
        Some((end, document)) => one_end(work, end, document, true, &mut told),
        None => client.iter().for_each(|document| as_the_client_heard(&heard.client, document, &mut told)),
    }
    if work.is_udp() {
        tail(&mut told);
    }
    // Who is told to end calls that an error, and its server hears of it.
    let asked = heard.client.told_ns.is_some();
    let fault = client.as_ref().and_then(|document| document["error"].as_str()).map(str::to_owned);
    let fault = fault.or_else(|| if client.is_none() || !asked { heard.client.complaint("iperf3") } else { None });
    // One that is told to end before it listens to that ends all the same, and tells nothing.
    let unheard = asked && client.is_none() && heard.client.status.is_none_or(|status| status == INTERRUPTED);
    // One whose test never began has sent nothing; if it was told to end, what its server says of that is no fault.
    told.silent = client.as_ref().is_some_and(|document| document["start"].get("test_start").is_none());
    if told.silent && asked && fault.as_ref().is_some_and(|words| words.contains(TERMINATED)) {
        return told;
    }
    // One that went on until it was told to end has not failed, however its server took that.
    let orderly = asked && fault.as_ref().is_some_and(|words| words.contains(TERMINATED));
    let mut cut = client.is_none();
    match (fault, heard.client.bad_end()) {
        (Some(_), _) if orderly => {}
        (None, _) if unheard => {}
        (Some(words), _) => told.errors.push((heard.client.ended_ns, words)),
        (None, Some(how)) => told.errors.push((heard.client.ended_ns, format!("it ended with {how}"))),
        (None, None) if client.is_none() => told.errors.push((heard.client.ended_ns, "it reported nothing".to_owned())),
        (None, None) => {}
    }
    if let Some(end) = &heard.server {
        let fault = server.as_ref().and_then(|(_, document)| document["error"].as_str()).map(str::to_owned);
        let words = fault.or_else(|| end.complaint("iperf3")).or_else(|| server.is_none().then(|| bad_server(end)));
        // Of its client's end it hears, and of its own what it was told.
        let excused = |words: &String| {
            end.told_ns.is_some() || unheard || orderly || (words.contains("the client has") && (asked || !told.errors.is_empty()))
        };
        cut |= orderly && end.told_ns.is_none() && words.as_ref().is_some_and(|words| !words.contains("the client has"));
        if let Some(words) = words.filter(|words| !excused(words)) {
            told.errors.push((end.ended_ns, format!("server: {words}")));
        }
    }
    told.cut_short = cut || !told.errors.is_empty();
    told
}

fn bad_server(end: &End) -> String {
    end.bad_end().map_or_else(|| "it reported nothing".to_owned(), |how| format!("it ended with {how}"))
}

fn ns(seconds: &Value) -> i64 {
    (seconds.as_f64().unwrap_or(0.0) * 1e9).round() as i64
}

/// The reports of one end.
fn one_end(work: &Work<'_>, end: &End, document: &Value, server: bool, told: &mut Told) {
    let empty = Vec::new();
    let intervals = match document["intervals"].as_array().unwrap_or(&empty).as_slice() {
        // A server whose client was told to end writes its last interval once more.
        [all @ .., before, last] if before["streams"] == last["streams"] => [all, std::slice::from_ref(before)].concat(),
        all => all.to_vec(),
    };
    let rows = || intervals.iter().flat_map(|interval| interval["streams"].as_array().into_iter().flatten());
    let last = rows().map(|row| ns(&row["end"])).max();
    let Some(last) = last else {
        // A test that ended within its first interval.
        if server {
            rest(work, document, (end.started_ns, end.ended_ns), told);
        }
        return;
    };
    let (origin, error) = origin(end, [(last, end.ended_ns)].into_iter());
    told.error_ns = told.error_ns.max(error);
    let sockets: Vec<i64> = document["start"]["connected"].as_array().into_iter().flatten().filter_map(|c| c["socket"].as_i64()).collect();
    let mut retransmits = vec![0u64; sockets.len()];
    let sizes = sizes(&document["start"]);
    let first = told.streams.len();
    if !server {
        let place = |c: &Value, end: &str| format!("{}:{}", c[format!("{end}_host")].as_str().unwrap_or(""), c[format!("{end}_port")]);
        let connected = document["start"]["connected"].as_array().into_iter().flatten();
        told.streams.extend(connected.map(|c| (place(c, "local"), place(c, "remote"))));
    }
    for row in rows() {
        let sender = row["sender"].as_bool().unwrap_or(true);
        let count = |name: &str| row[name].as_u64().unwrap_or(0);
        let lost = row["lost_packets"].as_i64().unwrap_or(0);
        let to_ns = origin + ns(&row["end"]);
        told.reports.push(Report {
            from_ns: origin + ns(&row["start"]),
            to_ns,
            back: sender == server,
            receiver: !sender,
            datagrams: work.is_udp(),
            bytes: count("bytes"),
            // The receiver tells how many must have been sent.
            packets: if sender { count("packets") } else { count("packets").saturating_add_signed(-lost) },
            lost: if sender { 0 } else { lost },
            reordered: 0,
            jitter_ns: row["jitter_ms"].as_f64().filter(|_| !sender).map_or(-1, |ms| (ms * 1e6).round() as i64),
        });
        let stream = row["socket"].as_i64().and_then(|socket| sockets.iter().position(|known| *known == socket));
        if let (false, Some(stream), Some(again)) = (server, stream, row["retransmits"].as_u64()) {
            retransmits[stream] += again;
            told.tcp.push(TcpSample {
                at_ns: to_ns,
                connection: u32::try_from(first + stream).unwrap_or(u32::MAX),
                rtt_us: u32::try_from(count("rtt")).unwrap_or(u32::MAX),
                cwnd: segments(count("snd_cwnd"), count("pmtu"), &sizes),
                retransmits: u32::try_from(retransmits[stream]).unwrap_or(u32::MAX),
                ..TcpSample::default()
            });
        }
    }
    if server {
        rest(work, document, (origin + last, end.ended_ns), told);
    }
    let receiving: BTreeSet<i64> = rows().filter(|row| row["sender"] == false).filter_map(|row| row["socket"].as_i64()).collect();
    let reordered = overtaken(document, &receiving);
    if reordered > 0 {
        told.reports.push(Report { reordered, ..whole(origin, origin + last, !server, true) });
    }
}

/// How many came behind later ones, of the streams that this end received: only its closing words tell that.
fn overtaken(document: &Value, receiving: &BTreeSet<i64>) -> u64 {
    let closing = document["end"]["streams"].as_array().into_iter().flatten().map(|stream| &stream["udp"]);
    let received = closing.filter(|udp| udp["socket"].as_i64().is_some_and(|socket| receiving.contains(&socket)));
    received.filter_map(|udp| udp["out_of_order"].as_u64()).sum()
}

/// What a server has received behind its last interval stands in its closing sum alone: a client that is told to end cuts an interval.
fn rest(work: &Work<'_>, document: &Value, (from_ns, to_ns): (i64, i64), told: &mut Told) {
    let received = told.reports.iter().filter(|report| report.receiver && !report.back);
    let known: u64 = received.map(|report| report.bytes).sum();
    let forward = document["start"]["test_start"]["reverse"].as_i64() == Some(0);
    let sum = &document["end"]["sum_received"];
    let Some(all) = sum["bytes"].as_u64().filter(|_| forward) else { return };
    let nothing = !told.reports.iter().any(|report| report.receiver && !report.back);
    if all > known || nothing {
        let counted = |what: fn(&Report) -> i64| told.reports.iter().filter(|r| r.receiver && !r.back).map(what).sum::<i64>();
        let lost = sum["lost_packets"].as_i64().unwrap_or(0);
        let came = sum["packets"].as_i64().unwrap_or(0) - lost - counted(|r| i64::try_from(r.packets).unwrap_or(i64::MAX));
        let (packets, lost) = (u64::try_from(came).unwrap_or(0), lost - counted(|r| r.lost));
        told.reports.push(Report { bytes: all - known, packets, lost, ..whole(from_ns, to_ns.max(from_ns), false, work.is_udp()) });
    }
}

/// A report over a whole run that counts nothing.
fn whole(from_ns: i64, to_ns: i64, back: bool, datagrams: bool) -> Report {
    Report { from_ns, to_ns, back, receiver: true, datagrams, bytes: 0, packets: 0, lost: 0, reordered: 0, jitter_ns: -1 }
}

/// What the beginning of a report tells of the size of segments, bytes: what the system gave, or what was asked for, of which timestamps take a part.
fn sizes(start: &Value) -> Vec<u64> {
    let asked = start["tcp_mss"].as_u64();
    let sizes = [start["tcp_mss_default"].as_u64(), asked.and_then(|size| size.checked_sub(TIMESTAMPS)), asked];
    sizes.into_iter().flatten().filter(|size| *size > 0).collect()
}

/// A congestion window in segments: iperf3 tells bytes. The segments' size is the one of which the window is a whole number.
fn segments(bytes: u64, mtu: u64, sizes: &[u64]) -> u32 {
    let of_mtu = HEADERS.iter().filter_map(|headers| mtu.checked_sub(*headers)).filter(|size| *size > 0);
    let mut all = sizes.iter().copied().chain(of_mtu);
    let whole = all.clone().find(|size| bytes.is_multiple_of(*size)).or_else(|| all.next()).unwrap_or(1);
    u32::try_from((bytes + whole / 2) / whole).unwrap_or(u32::MAX)
}

/// Of a server that scn did not start only what it told its client at the end is known: one sum for the whole run.
fn as_the_client_heard(end: &End, document: &Value, told: &mut Told) {
    let closing = &document["end"];
    // A client that was cut short has heard nothing.
    if document.get("error").is_some() {
        return;
    }
    let (from, to) = (told.reports.iter().map(|r| r.from_ns).min(), told.reports.iter().map(|r| r.to_ns).max());
    let (Some(from), Some(to)) = (from, to) else { return };
    let received = &closing["sum_received"];
    let forward = document["start"]["test_start"]["reverse"].as_i64() == Some(0);
    let Some(bytes) = received["bytes"].as_u64().filter(|_| forward) else { return };
    let datagrams = received.get("packets").is_some();
    let lost = received["lost_packets"].as_i64().unwrap_or(0);
    let packets = received["packets"].as_u64().unwrap_or(0).saturating_add_signed(-lost);
    told.reports.push(Report { bytes, packets, lost, ..whole(from, to.min(end.ended_ns), false, datagrams) });
}

/// Of what was sent last the receiver tells nothing: it may be lost, and it may have come after the receiver had ended its count.
fn tail(told: &mut Told) {
    for back in [false, true] {
        let of = |receiver: bool| told.reports.iter().filter(move |r| r.back == back && r.receiver == receiver);
        let sent: u64 = of(false).map(|r| r.packets).sum();
        let known: i64 = of(true).map(|r| i64::try_from(r.packets).unwrap_or(i64::MAX).saturating_add(r.lost)).sum();
        let missing = i64::try_from(sent).unwrap_or(i64::MAX).saturating_sub(known);
        let (Some(from), Some(to)) = (of(true).map(|r| r.to_ns).max(), of(false).map(|r| r.to_ns).max()) else { continue };
        if missing > 0 {
            told.unsure.push(Report { lost: missing, ..whole(from.min(to), to.max(from), back, true) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::placed::Line;
    use super::*;
    use crate::traffic::tools::series::tests::work;

    const MS: i64 = 1_000_000;

    fn end(text: &str, status: i32) -> End {
        let lines = text.lines().map(|text| Line { at_ns: 1100 * MS, errors: false, text: text.to_owned() }).collect();
        End { started_ns: 0, ended_ns: 1100 * MS, status: Some(status), lines, ..End::default() }
    }

    fn heard(client: &str, server: &str) -> Heard {
        Heard { client: end(client, 0), server: Some(end(server, 0)) }
    }

    #[test]
    fn windows_are_whole_segments() {
        let start = |text: &str| sizes(&serde_json::from_str(text).unwrap());
        assert_eq!(segments(4_115_880, 1500, &start(r#"{"tcp_mss": 900}"#)), 4635, "888 bytes and timestamps");
        assert_eq!(segments(9000, 1500, &start(r#"{"tcp_mss": 900}"#)), 10, "without timestamps");
        assert_eq!(segments(14_480, 1500, &start(r#"{"tcp_mss_default": 1448}"#)), 10);
        assert_eq!(segments(14_480, 1500, &start("{}")), 10, "by the path's MTU");
    }

    #[test]
    fn streams_of_tcp_as_the_receiver_tells_them() {
        let heard = heard(include_str!("samples/iperf3_tcp_client.json"), include_str!("samples/iperf3_tcp_server.json"));
        let flow = work("via iperf3 { duration 1s  arguments \"--parallel 2\" }");
        let told = read(&flow.work(), &heard);
        let received = told.reports.iter().filter(|r| r.receiver && !r.back);
        // `end.sum_received.bytes` of both documents.
        assert_eq!(received.map(|r| r.bytes).sum::<u64>(), 2_129_657_856);
        assert_eq!(told.streams.len(), 2);
        let last: Vec<u32> = (0..2).map(|s| told.tcp.iter().filter(|t| t.connection == s).map(|t| t.retransmits).max().unwrap()).collect();
        assert_eq!(last, [93, 19], "the sums of `end`");
        assert_eq!(told.tcp[0].cwnd, 12, "785796 bytes are 12 segments of 65483");
        assert_eq!(told.errors, []);
        // The last report of the client ends at 1.000228 s, the program at 1.1 s.
        assert!(told.error_ns <= 50 * MS && told.reports.iter().all(|r| r.from_ns >= 0 && r.to_ns <= 1100 * MS), "{}", told.error_ns);
    }

    #[test]
    fn datagrams_and_what_was_lost_at_the_end() {
        let (client, server) = (include_str!("samples/iperf3_udp_client.json"), include_str!("samples/iperf3_udp_server.json"));
        let flow = work("over udp via iperf3 { duration 1s  bandwidth 4Mbit/s }");
        let told = read(&flow.work(), &heard(client, server));
        let sum = |receiver| told.reports.iter().filter(move |r| r.receiver == receiver);
        assert_eq!((sum(false).map(|r| r.packets).sum::<u64>(), sum(true).map(|r| r.packets).sum::<u64>()), (23, 23));
        assert_eq!(sum(true).map(|r| r.lost).sum::<i64>(), 0);
        assert!(sum(true).all(|r| r.jitter_ns > 0));
        // The receiver saw the end three datagrams earlier and knows of no loss.
        let cut = server.replacen("\"packets\":\t3,", "\"packets\":\t0,", 1);
        let told = read(&flow.work(), &heard(client, &cut));
        assert_eq!(told.reports.iter().map(|r| r.lost).sum::<i64>(), 0);
        assert_eq!(told.unsure.iter().map(|r| r.lost).sum::<i64>(), 3, "they may be lost, or not have been read in time");
        // Without the server's document: what the client heard of it at the end.
        let told = read(&flow.work(), &Heard { server: None, ..heard(client, "") });
        let [whole] = told.reports.iter().filter(|r| r.receiver).collect::<Vec<_>>()[..] else { panic!("one sum") };
        assert_eq!((whole.packets, whole.lost, whole.bytes), (23, 0, 506_368));
    }

    #[test]
    fn both_ways_are_told_apart() {
        let heard = heard(include_str!("samples/iperf3_bidir_client.json"), include_str!("samples/iperf3_bidir_server.json"));
        let flow = work("via iperf3 { duration 1s  arguments \"--bidir\" }");
        let told = read(&flow.work(), &heard);
        for back in [false, true] {
            assert_eq!(told.reports.iter().filter(|r| r.receiver && r.back == back).map(|r| r.bytes).sum::<u64>(), 1_310_720);
        }
    }

    #[test]
    fn the_end_that_receives_tells_what_came_behind_later_ones() {
        // From a run whose datagrams were swapped on their way, both ways.
        let heard = heard(include_str!("samples/iperf3_reordered_client.json"), include_str!("samples/iperf3_reordered_server.json"));
        let flow = work("over udp via iperf3 { duration 1s  bandwidth 1Mbit/s  arguments \"--bidir\" }");
        let told = read(&flow.work(), &heard);
        let late = |back| told.reports.iter().filter(|r| r.receiver && r.back == back).map(|r| r.reordered).sum::<u64>();
        // `out_of_order` of the streams that the server and that the client received.
        assert_eq!((late(false), late(true)), (5, 8));
        assert!(told.reports.iter().all(|r| r.receiver || r.reordered == 0));
    }

    #[test]
    fn its_failure_is_in_its_words() {
        let flow = work("via iperf3 { duration 2s }");
        // The server was killed: it wrote nothing, and the client exits with 0.
        let mut deserted = heard(include_str!("samples/iperf3_deserted_client.json"), "");
        deserted.server.as_mut().unwrap().status = Some(137);
        let told = read(&flow.work(), &deserted);
        let words: Vec<&str> = told.errors.iter().map(|(_, words)| words.as_str()).collect();
        assert_eq!(words, ["control socket has closed unexpectedly", "server: it ended with signal 9"]);
        assert!(told.reports.iter().all(|r| !r.receiver), "what was sent is not what arrived");
        // Who was told to end has not failed.
        let stopped = Heard { client: end(include_str!("samples/iperf3_stopped_client.json"), 1), server: None };
        assert_eq!(read(&flow.work(), &stopped).errors[0].1, "interrupt - the client has terminated");
        let asked = Heard { client: End { told_ns: Some(700 * MS), ..stopped.client }, server: None };
        assert_eq!(read(&flow.work(), &asked).errors, []);
        // Its server counts what came in the interval that was cut.
        let mut document: Value = serde_json::from_str(include_str!("samples/iperf3_udp_server.json")).unwrap();
        document["end"]["sum_received"]["bytes"] = 600_000.into();
        let mut told = Told::default();
        one_end(&flow.work(), &end("", 0), &document, true, &mut told);
        assert_eq!(told.reports.iter().filter(|r| r.receiver).map(|r| r.bytes).sum::<u64>(), 600_000);
        // A wrong argument: no document, and the reason on the error output.
        let line = |text: &str| Line { at_ns: 0, errors: true, text: text.to_owned() };
        let lines = vec![line("iperf3: unrecognized option '--nonsense'"), line("Usage: iperf3 [-s|-c host] [options]")];
        let wrong = Heard { client: End { lines, ..end("", 1) }, server: None };
        assert_eq!(read(&flow.work(), &wrong).errors[0].1, "unrecognized option '--nonsense'");
        let silent = Heard { client: end("", 0), server: None };
        assert_eq!(read(&flow.work(), &silent).errors[0].1, "it reported nothing");
    }

    #[test]
    fn what_a_flow_says_becomes_its_arguments() {
        let told = |head: &str| client(&work(head).work()).join(" ");
        assert_eq!(told("via iperf3 { duration 5s }"), "-c 10.0.0.2 -p 20000 -J -i 0.1 -t 5");
        assert_eq!(told("via iperf3 { duration 1500ms }"), "-c 10.0.0.2 -p 20000 -J -i 0.1 -t 0", "it knows whole seconds only");
        assert_eq!(
            told("over udp via iperf3 { duration 1s  bandwidth 4Mbit/s  size 1kB  connections 2 }"),
            "-c 10.0.0.2 -p 20000 -J -i 0.1 -t 1 -P 2 -b 2000000 -l 1000 -u",
            "its rate is that of a stream"
        );
        assert_eq!(
            told("via iperf3 { over tcp { congestion cubic  nodelay on  mss 1400  dscp 46 }  duration 1s }"),
            "-c 10.0.0.2 -p 20000 -J -i 0.1 -t 1 -C cubic -M 1400 --dscp 46 -N"
        );
    }

    #[test]
    fn a_test_that_ends_within_its_first_interval_is_in_the_closing_sum() {
        let flow = work("via iperf3 { over udp }\ntimeline { at 1s mark x }");
        let client = r#"{"start":{"test_start":{"reverse":0}},"intervals":[{"streams":[{"start":0,"end":0.0165,"bytes":2654,"packets":1,"sender":true}]}],
            "end":{"sum_received":{"bytes":0,"packets":0,"lost_packets":0}},"error":"interrupt - the client has terminated"}"#;
        let server = r#"{"start":{"test_start":{"reverse":0}},"intervals":[],"end":{"sum_received":{"bytes":2654,"packets":1,"lost_packets":0}},
            "error":"the client has terminated"}"#;
        let mut both = heard(client, server);
        both.client.told_ns = Some(1000 * MS);
        let told = read(&flow.work(), &both);
        let received: Vec<(u64, u64)> = told.reports.iter().filter(|r| r.receiver).map(|r| (r.bytes, r.packets)).collect();
        assert_eq!((received, told.errors, told.cut_short), (vec![(2654, 1)], vec![], false));
    }

    #[test]
    fn one_that_is_told_to_end_before_it_began_has_not_failed() {
        let flow = work("via iperf3 { bandwidth 1Mbit/s }\ntimeline { at 1s mark x }");
        let client = r#"{"start":{"connected":[]},"intervals":[],"end":{},"error":"interrupt - the client has terminated"}"#;
        let mut both = heard(client, "WARNING:  Size of data read does not correspond to offered length\n{");
        both.client.told_ns = Some(1000 * MS);
        let told = read(&flow.work(), &both);
        assert_eq!((told.errors.len(), told.cut_short, told.silent), (0, false, true), "it sent nothing");
        both.client = End { told_ns: Some(1000 * MS), status: Some(INTERRUPTED), ..end("", 0) };
        let told = read(&flow.work(), &both);
        assert_eq!((told.errors.len(), told.cut_short, told.silent), (0, true, false), "it may have sent something");
    }

    #[test]
    fn a_server_that_stumbles_over_its_clients_end_is_no_failure() {
        let flow = work("via iperf3 { bandwidth 1Mbit/s }\ntimeline { at 1s mark x }");
        let client = r#"{"start":{"test_start":{"reverse":0}},"intervals":[],"end":{},"error":"interrupt - the client has terminated"}"#;
        let server = r#"{"start":{"test_start":{"reverse":0}},"intervals":[],"end":{},"error":"getsockopt - Bad file descriptor"}"#;
        let mut both = heard(client, server);
        both.client.told_ns = Some(1000 * MS);
        let told = read(&flow.work(), &both);
        assert_eq!((told.errors.len(), told.cut_short), (0, true), "what came last it does not tell");
    }
}
