//! iperf 2: streams of TCP or UDP, to the server or from it. Each end writes a line of CSV for each stream and interval as it is over, and a
//! last line for each stream with the whole. The receiving end's are what arrived.
//!
//! A line tells its interval to a tenth of a second, so an instant may be wrong by half of that beside what reading adds.

use scn_grammar::scenario::flow::ToolKind;
use scn_reports::record::tool::Report;

use super::options::Options;
use super::placed::{End, Line, origin};
use super::{Heard, Row, Side, Told, Work, changing, streams, words};

/// Half of the last digit that a line tells of an instant, ns.
const ROUNDED_NS: i64 = 50_000_000;
/// It writes so much at once over TCP where nothing is said, bytes.
const LARGEST_WRITE: u64 = 131_072;
/// A stream of TCP that has a rate writes at least so often where nothing is said, 1/s: it refuses a rate that is not one write a second.
const WRITES: u64 = 10;
/// It has no end of its own: until it is told to.
const ENDLESS_S: &str = "1000000";
/// What its complaints hold; it ends with 0 whatever happened.
const COMPLAINTS: [&str; 5] = ["failed", "unrecognized", "error", "invalid", "ignoring"];
/// A server of datagrams says so where its client repeats its end more often than the server answers, as on a busy machine. Its account is
/// whole by then.
const END_REPEATED: &str = "ack of last datagram failed";

pub(super) const ROW: Row = Row {
    kind: ToolKind::Iperf,
    server: Some(Side { program: "iperf", arguments: server, ends: false, udp: |work| work.is_udp() }),
    client,
    last: &[],
    options: Options {
        flags: "uReNVzdrDhmUvCX",
        same: &[
            &["-c", "--client"],
            &["-p", "--port"],
            &["-y", "--reportstyle"],
            &["-i", "--interval"],
            &["-t", "--time", "-n", "--num"],
            &["-P", "--parallel"],
            &["-b", "--bandwidth"],
            &["-l", "--len"],
            &["-M", "--mss"],
            &["-V", "--ipv6_domain"],
        ],
        never: &[
            (&["-u", "--udp"], "write `over udp`"),
            (&["-s", "--server", "-D", "--daemon"], "scn starts the server"),
            (
                &["-d", "--dualtest", "-r", "--tradeoff", "--full-duplex"],
                "its lines do not tell both ways apart; write a flow for each way",
            ),
            (&["-e", "--enhanced", "-f", "--format", "-o", "--output", "-x", "--reportexclude"], "scn reads the output"),
            (&["-h", "--help", "-v", "--version"], "it makes no traffic"),
        ],
        longer: &["--txstart-time", "--txdelay-time", "--connect-retries"],
    },
    beyond: changing,
    ends: |_| true,
    read,
};

fn client(work: &Work<'_>) -> Vec<String> {
    let mut all = words(["-c", &work.host(), "-p", &work.target.port().to_string(), "-y", "C", "-i", &work.every()]);
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            all.extend(words([name, &value]));
        }
    };
    let own_end = work.says(&["-t", "--time", "-n", "--num"]) && work.load.duration_ns.is_none();
    let seconds = work.load.duration_ns.map_or_else(|| ENDLESS_S.to_owned(), |ns| (ns as f64 / 1e9).to_string());
    add("-t", (!own_end).then_some(seconds));
    add("-P", (work.load.connections > 1).then(|| work.load.connections.to_string()));
    // Its rate is that of each stream.
    let rate = work.load.bandwidth_bps.map(|bits| (bits / streams(work)).max(1));
    add("-b", rate.map(|bits| bits.to_string()));
    let unsaid = |_: &u64| !work.is_udp() && !ROW.options.says(work.arguments, &["-l", "--len"]);
    let fitting = || rate.filter(unsaid).map(|bits| (bits / 8 / WRITES).clamp(1, LARGEST_WRITE));
    add("-l", work.size().or_else(fitting).map(|bytes| bytes.to_string()));
    add("-M", work.socket().and_then(|socket| socket.mss).map(|mss| mss.to_string()));
    all.extend(work.is_udp().then(|| "-u".to_owned()));
    all.extend(work.target.is_ipv6().then(|| "-V".to_owned()));
    all
}

fn server(work: &Work<'_>) -> Vec<String> {
    let mut all = words(["-s", "-p", &work.target.port().to_string(), "-y", "C", "-i", &work.every()]);
    all.extend(work.is_udp().then(|| "-u".to_owned()));
    all.extend(work.target.is_ipv6().then(|| "-V".to_owned()));
    all
}

/// A line of CSV.
#[derive(Debug, Clone, PartialEq)]
struct Row9 {
    stream: i64,
    from: f64,
    to: f64,
    bytes: u64,
    /// Of datagrams: jitter in ms, lost, all, out of order.
    datagrams: Option<(f64, i64, i64, u64)>,
    read_ns: i64,
}

fn row(line: &Line) -> Option<Row9> {
    let fields: Vec<&str> = line.text.split(',').collect();
    let (from, to) = fields.get(6)?.split_once('-')?;
    let datagrams = (fields.len() >= 14)
        .then(|| Some((fields[9].parse().ok()?, fields[10].parse().ok()?, fields[11].parse().ok()?, fields[13].trim().parse().ok()?)));
    Some(Row9 {
        stream: fields[5].parse().ok()?,
        from: from.parse().ok()?,
        to: to.parse().ok()?,
        bytes: fields.get(7)?.parse().ok()?,
        datagrams: datagrams.flatten(),
        read_ns: line.at_ns,
    })
}

fn read(work: &Work<'_>, heard: &Heard) -> Told {
    let mut told = Told::default();
    // The server sends, the client receives.
    let reverse =
        work.arguments.iter().any(|word| word == "--reverse" || (word.starts_with('-') && !word.starts_with("--") && word.contains('R')));
    one_end(work, &heard.client, reverse, reverse, &mut told);
    if let Some(server) = &heard.server {
        one_end(work, server, reverse, !reverse, &mut told);
    }
    let line = |end: &End| end.lines.iter().filter(|l| l.errors).map(|l| l.text.trim().to_owned()).collect::<Vec<_>>();
    let complaints = |lines: Vec<String>| {
        let lines = lines.into_iter().map(|line| line.strip_prefix("iperf: ").map_or(line.clone(), str::to_owned));
        let bad = lines.filter(|line| COMPLAINTS.iter().any(|word| line.to_lowercase().contains(word)));
        bad.take(3).collect::<Vec<String>>().join(" / ")
    };
    let words = complaints(line(&heard.client));
    let asked = heard.client.told_ns.is_some();
    let nothing = !heard.client.lines.iter().any(|line| !line.errors && row(line).is_some());
    let at = heard.client.ended_ns;
    if !words.is_empty() {
        told.errors.push((at, words));
    } else if let Some(how) = heard.client.bad_end().filter(|_| !asked) {
        told.errors.push((at, format!("it ended with {how}")));
    } else if nothing && !asked {
        told.errors.push((at, heard.client.complaint("iperf").unwrap_or_else(|| "it reported nothing".to_owned())));
    }
    if let Some(end) = &heard.server {
        let words = complaints(line(end).into_iter().filter(|line| !line.contains(END_REPEATED)).collect());
        // It does not end by itself: its end is bad where nobody asked for it.
        let how = end.told_ns.is_none().then(|| end.bad_end().unwrap_or_else(|| "status 0".to_owned()));
        if !words.is_empty() {
            told.errors.push((end.ended_ns, format!("server: {words}")));
        } else if let Some(how) = how {
            told.errors.push((end.ended_ns, format!("server: it ended with {how}")));
        }
    }
    // One that is told to end before its first report tells nothing, which is no failure.
    told.cut_short = !told.errors.is_empty() || (asked && nothing);
    told
}

/// The reports of one end.
fn one_end(work: &Work<'_>, end: &End, back: bool, receiver: bool, told: &mut Told) {
    let rows: Vec<Row9> = end.lines.iter().filter(|line| !line.errors).filter_map(row).filter(|row| row.stream >= 0).collect();
    if rows.is_empty() {
        return;
    }
    let (origin, error) = origin(end, rows.iter().map(|row| ((row.to * 1e9) as i64, row.read_ns)));
    told.error_ns = told.error_ns.max(error + ROUNDED_NS);
    // In the order they began. A server takes an end that is repeated late for the first datagram of one more, of which all was lost.
    let mut begun: Vec<i64> = Vec::new();
    for row in &rows {
        if !begun.contains(&row.stream) {
            begun.push(row.stream);
        }
    }
    let real = usize::try_from(streams(work)).unwrap_or(usize::MAX);
    for stream in begun.into_iter().take(real) {
        let (mut until, mut bytes, mut packets, mut lost, mut late) = (0.0, 0u64, 0i64, 0i64, 0u64);
        for row in rows.iter().filter(|row| row.stream == stream) {
            // The last line tells the whole: of it counts what stood in none before.
            let whole = until > 0.0 && row.from < until - 1e-6;
            let (jitter, all_lost, all, reordered) = row.datagrams.unwrap_or((-1.0, 0, 0, 0));
            // A sender's last line has what the receiver answered, or less than nothing.
            let (all_lost, all) = if receiver { (all_lost.max(0), all.max(0)) } else { (0, all.max(0)) };
            let report = Report {
                from_ns: origin + ((if whole { until } else { row.from }) * 1e9) as i64,
                to_ns: origin + (row.to.max(until) * 1e9) as i64,
                back,
                receiver,
                datagrams: work.is_udp(),
                bytes: if whole { row.bytes.saturating_sub(bytes) } else { row.bytes },
                packets: match whole {
                    // Of the last datagrams a sender tells the bytes alone.
                    true if !receiver => row.bytes.saturating_sub(bytes) * u64::try_from(packets).unwrap_or(0) / bytes.max(1),
                    true => u64::try_from(all - all_lost - packets).unwrap_or(0),
                    false => u64::try_from(all - all_lost).unwrap_or(0),
                },
                lost: if whole { (all_lost - lost).max(0) } else { all_lost },
                reordered: if whole { reordered.saturating_sub(late) } else { reordered },
                jitter_ns: if receiver && jitter >= 0.0 && !whole { (jitter * 1e6).round() as i64 } else { -1 },
            };
            if !whole {
                (until, bytes, packets, lost, late) =
                    (row.to, bytes + row.bytes, packets + all - all_lost, lost + all_lost, late + reordered);
            }
            if !whole || report.bytes > 0 || report.packets > 0 || report.lost > 0 || report.reordered > 0 {
                told.reports.push(report);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::tools::series::tests::work;

    const S: i64 = 1_000_000_000;

    /// Each line is read when its interval is over, the last at the end.
    fn end(csv: &str, errors: &str, told: bool) -> End {
        let at = |text: &str| {
            text.split(',').nth(6).and_then(|i| i.split_once('-')).map_or(S, |(_, to)| (to.parse::<f64>().unwrap() * 1e9) as i64)
        };
        let lines = csv.lines().map(|text| Line { at_ns: S / 100 + at(text), errors: false, text: text.to_owned() });
        let errors = errors.lines().map(|text| Line { at_ns: S, errors: true, text: text.to_owned() });
        let lines = lines.chain(errors).collect();
        End { started_ns: 0, ended_ns: S, status: Some(0), lines, told_ns: told.then_some(S), cut: false }
    }

    #[test]
    fn the_whole_adds_what_no_interval_told() {
        let flow = work("via iperf { duration 500ms }");
        let sent = "20261122005456,127.0.0.1,58952,127.0.0.1,5555,1,0.0-0.1,131132,10490455\n\
                    20261122005456,127.0.0.1,58952,127.0.0.1,5555,1,0.1-0.2,131072,10485655\n\
                    20261122005456,127.0.0.1,58952,127.0.0.1,5555,1,0.0-0.2,393276,11828170\n";
        let heard = Heard { client: end(sent, "", false), server: Some(end(sent, "", true)) };
        let told = read(&flow.work(), &heard);
        let received: Vec<&Report> = told.reports.iter().filter(|r| r.receiver).collect();
        assert_eq!(received.iter().map(|r| r.bytes).sum::<u64>(), 393_276);
        assert_eq!(received.len(), 3, "what the last line has more came at the end");
        assert!(told.reports.iter().all(|r| !r.back && !r.datagrams) && told.errors.is_empty());
        assert_eq!(told.error_ns, S / 200 + ROUNDED_NS);
        let back = work("via iperf { duration 500ms  arguments \"-R\" }");
        assert!(read(&back.work(), &heard).reports.iter().all(|r| r.back));
    }

    #[test]
    fn datagrams() {
        let flow = work("over udp via iperf { duration 500ms  bandwidth 2Mbit/s }");
        let server = "20261122005457,127.0.0.1,58150,127.0.0.1,5555,1,0.0-0.1,27930,2234377,0.003,1,20,5.000,2\n\
                      20261122005458,127.0.0.1,58150,127.0.0.1,5555,1,0.0-0.1,27930,2141879,0.005,1,20,5.000,2\n";
        let client = "20261122005457,127.0.0.1,58150,127.0.0.1,5555,1,0.0-0.1,29400,2234377,0.000,0,20,0.000,0\n\
                      20261122005458,127.0.0.1,58150,127.0.0.1,5555,1,0.0-0.1,30870,2142521,0.000,0,-1,-0.000,0\n";
        let told = read(&flow.work(), &Heard { client: end(client, "", false), server: Some(end(server, "", true)) });
        let [sent, last, received] = &told.reports[..] else { panic!("{:?}", told.reports) };
        assert_eq!((last.packets, last.bytes), (1, 1470), "of the last one it tells the bytes alone");
        assert_eq!((sent.packets, sent.receiver, sent.jitter_ns), (20, false, -1));
        assert_eq!((received.packets, received.lost, received.reordered, received.jitter_ns), (19, 1, 2, 3000));
    }

    #[test]
    fn it_ends_well_whatever_happened_but_complains() {
        let flow = work("via iperf { duration 500ms }");
        let busy = "[  3] WARNING: ack of last datagram failed.";
        let told = "20261122005457,127.0.0.1,58150,127.0.0.1,5555,1,0.0-0.1,27930,2234377,0.003,1,20,5.000,2\n";
        let heard = Heard { client: end(told, "", false), server: Some(end(told, busy, true)) };
        assert!(read(&flow.work(), &heard).errors.is_empty(), "its account is whole");
        let again = format!("{told}{}", told.replace(",1,0.0-0.1,", ",2,0.0-0.1,").replace(",1,20,", ",19,20,"));
        let heard = Heard { client: end(told, "", false), server: Some(end(&again, busy, true)) };
        let datagrams = work("over udp via iperf { duration 500ms  bandwidth 2Mbit/s }");
        let told = read(&datagrams.work(), &heard);
        assert_eq!(told.reports.iter().map(|report| report.lost).sum::<i64>(), 1, "an end repeated late is no stream");
        let refused = Heard { client: end("", "tcp connect failed: Connection refused", false), server: None };
        assert_eq!(read(&flow.work(), &refused).errors[0].1, "tcp connect failed: Connection refused");
        let wrong = "iperf: unrecognized option `--nonsense'\n------\nClient connecting to 10.0.0.2, TCP port 5001";
        let heard = Heard { client: end("", wrong, false), server: None };
        assert_eq!(read(&flow.work(), &heard).errors[0].1, "unrecognized option `--nonsense'");
        let killed = Heard { client: end("", "", false), server: Some(End { status: Some(137), ..end("", "", false) }) };
        assert_eq!(
            read(&flow.work(), &killed).errors.iter().map(|e| e.1.as_str()).collect::<Vec<_>>(),
            ["it reported nothing", "server: it ended with signal 9"]
        );
    }

    #[test]
    fn one_that_is_told_to_end_before_it_reports_has_not_failed() {
        let flow = work("via iperf { duration 500ms }");
        let sent = "20261122005456,127.0.0.1,58952,127.0.0.1,5555,1,0.0-0.1,131132,10490455\n";
        let told = |sent: &str, errors: &str, asked: bool| {
            let told = read(&flow.work(), &Heard { client: end(sent, errors, asked), server: Some(end(sent, "", true)) });
            (told.errors.into_iter().map(|(_, words)| words).collect::<Vec<String>>(), told.cut_short)
        };
        assert_eq!(told("", "", true), (Vec::new(), true), "something may have come");
        assert_eq!(told(sent, "", true), (Vec::new(), false));
        assert_eq!(told("", "", false), (vec!["it reported nothing".to_owned()], true));
        assert_eq!(told("", "write failed: x", true), (vec!["write failed: x".to_owned()], true));
    }

    #[test]
    fn what_a_flow_says_becomes_its_arguments() {
        let told = |head: &str| client(&work(head).work()).join(" ");
        assert_eq!(told("via iperf { duration 1500ms }"), "-c 10.0.0.2 -p 20000 -y C -i 0.1 -t 1.5");
        assert_eq!(
            told("over udp via iperf { duration 1s  connections 2  bandwidth 1Mbit/s }"),
            "-c 10.0.0.2 -p 20000 -y C -i 0.1 -t 1 -P 2 -b 500000 -u"
        );
    }

    #[test]
    fn a_rate_of_tcp_has_writes_that_fit_it() {
        let told = |said: &str| client(&work(&format!("via iperf {{ duration 1s  {said} }}")).work()).join(" ");
        let all = |rest: &str| format!("-c 10.0.0.2 -p 20000 -y C -i 0.1 -t 1 {rest}");
        assert_eq!(told("bandwidth 1Mbit/s"), all("-b 1000000 -l 12500"));
        assert_eq!(told("bandwidth 1Mbit/s  connections 2"), all("-P 2 -b 500000 -l 6250"));
        assert_eq!(told("bandwidth 8bit/s"), all("-b 8 -l 1"));
        assert_eq!(told("bandwidth 1Gbit/s"), all("-b 1000000000 -l 131072"));
        assert_eq!(told("bandwidth 1Mbit/s  size 1000B"), all("-b 1000000 -l 1000"));
        for said in ["--len=5000", "-l 5000", "-l5000", "-Nl5000"] {
            assert_eq!(told(&format!("bandwidth 1Mbit/s  arguments \"{said}\"")), all("-b 1000000"), "{said}");
        }
    }
}
