//! ping: echoes, answered by the target's kernel. It tells each answer and, before it sends the next one, each echo that is not answered yet,
//! with the wall clock; the lines are read at once, so that an instant is that of reading, and that of sending the time of the answer less
//! its round trip.
//!
//! ping keeps its interval by the kernel's timer ticks and rounds it to milliseconds: it sends a little slower than asked. With a `rate` and a
//! `duration` it sends as many echoes as belong to both and waits for their answers.

use std::collections::BTreeMap;

use scn_grammar::scenario::flow::ToolKind;
use scn_grammar::scenario::transport::Transport;

use super::options::Options;
use super::placed::{End, Line};
use super::{Heard, Row, Told, Work, changing, words};

/// Between two echoes if no rate is said, ns: ping's own.
const INTERVAL_NS: u64 = 1_000_000_000;
/// Its least interval but for none at all, ns.
const LEAST_NS: u64 = 1_000_000;
/// The last answer is waited for so long if nothing is said, ns: as scn waits for its own echoes.
const RESPONSE_NS: u64 = 1_000_000_000;
/// Sequence numbers have 16 bits.
const NUMBERS: i64 = 1 << 16;
/// Payload if no size is said, bytes.
const SIZE: u64 = 56;
/// Payload with room for the time at which it was sent, without which ping tells no round trip, bytes.
const TIMED: u64 = 16;

pub(super) const ROW: Row = Row {
    kind: ToolKind::Ping,
    server: None,
    client,
    last: &[],
    options: Options {
        flags: "46aAbBCdDfhLnOqrRUvV",
        same: &[&["-i", "-f", "-A"], &["-c"], &["-s"], &["-W"], &["-t"], &["-Q"], &["-m"], &["-M"], &["-I"]],
        never: &[
            (&["-q", "-a", "-R", "-v"], "scn reads the output"),
            (&["-n", "-D", "-O"], "scn gives it already"),
            (&["-w"], "say `duration`"),
            (&["-f", "-A"], "say `rate`"),
            (&["-h", "-V"], "it makes no traffic"),
        ],
        longer: &[],
    },
    beyond,
    ends: |work| work.load.total.is_some() || work.load.duration_ns.is_some(),
    read,
};

/// An echo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    /// When it was sent, ns.
    pub sent_ns: i64,
    /// When each answer to it came, ns: the first and its copies.
    pub answers_ns: Vec<i64>,
    /// Why it can't be answered, and when that was told.
    pub refused: Option<(i64, String)>,
    /// Its fate was not seen.
    pub unseen: bool,
    /// Its payload, bytes.
    pub bytes: u32,
}

fn interval_ns(work: &Work<'_>) -> u64 {
    work.load.rate_nano.map_or(INTERVAL_NS, |rate| u64::try_from(1_000_000_000_000_000_000 / u128::from(rate.max(1))).unwrap_or(u64::MAX))
}

/// Echoes in all; `None`: until it is told to end.
fn count(work: &Work<'_>) -> Option<u64> {
    let by_duration = work.load.duration_ns.map(|ns| ns.div_ceil(interval_ns(work).max(1)).max(1));
    match (work.load.total, by_duration) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn client(work: &Work<'_>) -> Vec<String> {
    let mut all = words(["-n", "-D", "-O", "-i", &(interval_ns(work) as f64 / 1e9).to_string()]);
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            all.extend(words([name, &value]));
        }
    };
    add("-c", count(work).map(|count| count.to_string()));
    add("-W", Some((work.timeouts.response_ns.unwrap_or(RESPONSE_NS) as f64 / 1e9).to_string()));
    add("-s", work.size().map(|bytes| bytes.to_string()));
    add("-I", work.interface.map(str::to_owned));
    if let Transport::Icmp(icmp) = work.transport {
        add("-t", icmp.ttl.map(|ttl| ttl.to_string()));
        // The code point is the upper six bits of the byte that it takes.
        add("-Q", icmp.dscp.map(|dscp| (u32::from(dscp) << 2).to_string()));
        add("-m", icmp.mark.map(|mark| mark.to_string()));
        add("-M", icmp.dont_fragment.then(|| "do".to_owned()));
    }
    all.push(work.host());
    all
}

fn beyond(work: &Work<'_>) -> Vec<(String, &'static str)> {
    let mut beyond = changing(work);
    if interval_ns(work) < LEAST_NS {
        beyond.push(("more than 1000 echoes per second".to_owned(), "its least interval is 1ms; write `over icmp` without `via ping`"));
    }
    if work.size().is_some_and(|bytes| bytes < TIMED) {
        beyond.push((
            format!("a `size` of less than {TIMED}B"),
            "it has no room for its time then, and tells no round trip; write `over icmp` without `via ping`",
        ));
    }
    beyond
}

/// What a line tells.
#[derive(Debug, Clone, PartialEq)]
enum Sign {
    /// An answer, and its round trip in ns; `None`: the payload has no room for the time.
    Answer(i64, Option<i64>),
    /// The echo has no answer yet, and the next one is about to be sent.
    Waits(i64),
    /// It can't be answered.
    Refused(i64, String),
    /// So many were sent.
    Sent(i64),
}

fn number(text: &str, before: &str) -> Option<i64> {
    let rest = &text[text.find(before)? + before.len()..];
    rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
}

fn sign(text: &str) -> Option<Sign> {
    // `[1795308898.506037] `.
    let text = text.strip_prefix('[').and_then(|rest| rest.split_once("] ")).map_or(text, |(_, rest)| rest);
    if let Some((sent, _)) = text.split_once(" packets transmitted") {
        return sent.parse().ok().map(Sign::Sent);
    }
    let sequence = number(text, "icmp_seq=")?;
    if text.starts_with("no answer yet") {
        return Some(Sign::Waits(sequence));
    }
    if text.contains(" bytes from ") {
        let time = text.split_once("time=").and_then(|(_, rest)| rest.split(' ').next()?.parse::<f64>().ok());
        return Some(Sign::Answer(sequence, time.map(|ms| (ms * 1e6).round() as i64)));
    }
    let why = text.strip_prefix("From ")?;
    let (who, rest) = why.split_once(" icmp_seq=")?;
    let words = rest.split_once(' ').map_or("", |(_, words)| words);
    Some(Sign::Refused(sequence, format!("{}, says {}", words.to_lowercase(), who.trim_end_matches(':'))))
}

/// A sequence number without its wrapping, near the last one.
fn unwrapped(sequence: i64, last: i64) -> i64 {
    let turns = (last - sequence + NUMBERS / 2).div_euclid(NUMBERS);
    sequence + turns * NUMBERS
}

/// What is known of one echo.
#[derive(Debug, Clone, Default)]
struct Known {
    sent_ns: Option<i64>,
    answers_ns: Vec<i64>,
    refused: Option<(i64, String)>,
}

fn read(work: &Work<'_>, heard: &Heard) -> Told {
    let end = &heard.client;
    let mut known: BTreeMap<i64, Known> = BTreeMap::new();
    let (mut last, mut sent) = (0, 0);
    let mut told = Told::default();
    for line in end.lines.iter().filter(|line| !line.errors) {
        let Some(sign) = sign(&line.text) else { continue };
        let at = match &sign {
            Sign::Sent(count) => {
                sent = *count;
                continue;
            }
            Sign::Answer(sequence, _) | Sign::Waits(sequence) | Sign::Refused(sequence, _) => unwrapped(*sequence, last),
        };
        last = last.max(at);
        let echo = known.entry(at).or_default();
        match sign {
            Sign::Answer(_, trip) => {
                echo.answers_ns.push(line.at_ns);
                // The first answer knows better than the line before the sending.
                let told = trip.filter(|_| echo.answers_ns.len() == 1).map(|trip| line.at_ns - trip);
                echo.sent_ns = told.or(echo.sent_ns);
            }
            Sign::Refused(_, why) => echo.refused = Some((line.at_ns, why)),
            // Said right before the next one is sent.
            Sign::Waits(_) => _ = known.entry(at + 1).or_default().sent_ns.get_or_insert(line.at_ns),
            Sign::Sent(_) => {}
        }
    }
    complaints(heard, &known, &mut told);
    told.cut_short = sent == 0 && !told.errors.is_empty();
    // An echo that only the line before it speaks of was sent if others followed or the count says so.
    let until = known.iter().filter(|(_, k)| !k.answers_ns.is_empty() || k.refused.is_some()).map(|(at, _)| *at).max().unwrap_or(0);
    let until = until.max(sent).max(if sent == 0 { last } else { 0 });
    let interval = i64::try_from(interval_ns(work)).unwrap_or(i64::MAX);
    let response = i64::try_from(work.timeouts.response_ns.unwrap_or(RESPONSE_NS)).unwrap_or(i64::MAX);
    let bytes = u32::try_from(work.size().unwrap_or(SIZE)).unwrap_or(u32::MAX);
    let mut before: Option<i64> = None;
    let broke_off = end.told_ns.is_some() || failed(end).is_some();
    for at in 1..=until {
        let echo = known.remove(&at).unwrap_or_default();
        let sent_ns = echo.sent_ns.unwrap_or_else(|| before.map_or(end.started_ns, |before| before.saturating_add(interval)));
        let sent_ns = sent_ns.clamp(end.started_ns, end.ended_ns.max(end.started_ns)).max(before.unwrap_or(i64::MIN));
        // What comes later than the flow waits for is no answer to it: ping itself has no such limit but at its end.
        let in_time = |at: &i64| at.saturating_sub(sent_ns) <= response;
        let answers_ns: Vec<i64> = echo.answers_ns.into_iter().filter(in_time).collect();
        // One that was sent a moment before ping was told to end, or ended by force, may still have been answered.
        let quiet = answers_ns.is_empty() && echo.refused.is_none();
        let unseen = quiet && broke_off && end.ended_ns - sent_ns < response;
        told.echoes.push(Echo { sent_ns, answers_ns, refused: echo.refused, unseen, bytes });
        before = Some(sent_ns);
    }
    told
}

/// How it failed. An exit with 1 says that no answer came, which is no failure of its own.
fn failed(end: &End) -> Option<String> {
    end.bad_end().filter(|_| end.status != Some(1))
}

/// Its own errors.
fn complaints(heard: &Heard, known: &BTreeMap<i64, Known>, told: &mut Told) {
    let end = &heard.client;
    let first = |line: &&Line| line.errors && line.text.starts_with("ping:");
    let when = end.lines.iter().find(first).map_or(end.ended_ns, |line| line.at_ns);
    let bad = failed(end).filter(|_| end.told_ns.is_none());
    match (end.complaint("ping"), bad) {
        (Some(words), _) => told.errors.push((when, words)),
        (None, Some(how)) => told.errors.push((end.ended_ns, format!("it ended with {how}"))),
        (None, None) if known.is_empty() && end.status == Some(1) && !end.lines.iter().any(|line| line.text.contains("transmitted")) => {
            told.errors.push((end.ended_ns, "it ended with status 1".to_owned()));
        }
        (None, None) => {}
    }
}

#[cfg(test)]
mod tests {
    use scn_grammar::scenario::pattern::Varying;

    use super::*;
    use crate::traffic::tools::series::tests::work;

    const MS: i64 = 1_000_000;

    /// Lines with the milliseconds at which they are read.
    fn heard(lines: &[(i64, &str)], status: i32) -> Heard {
        let lines = lines.iter().map(|(ms, text)| Line { at_ns: ms * MS, errors: text.starts_with("ping:"), text: (*text).to_owned() });
        Heard {
            client: End { started_ns: 0, ended_ns: 600 * MS, status: Some(status), lines: lines.collect(), ..End::default() },
            server: None,
        }
    }

    #[test]
    fn answers_copies_and_what_is_lost() {
        let flow = work("via ping { rate 10/s  duration 500ms }");
        let told = read(
            &flow.work(),
            &heard(
                &[
                    (1, "PING 10.9.9.2 (10.9.9.2) 56(84) bytes of data."),
                    (12, "[1795309270.019749] 64 bytes from 10.9.9.2: icmp_seq=1 ttl=64 time=2.00 ms"),
                    (13, "[1795309270.020749] 64 bytes from 10.9.9.2: icmp_seq=1 ttl=64 time=3.00 ms (DUP!)"),
                    (210, "[1795309270.643569] no answer yet for icmp_seq=2"),
                    (310, "[1795309270.747561] no answer yet for icmp_seq=3"),
                    (311, "[1795309271.059673] 64 bytes from 10.9.9.2: icmp_seq=4 ttl=64 time=0.5 ms"),
                    (412, "From 10.9.9.1 icmp_seq=5 Destination Host Unreachable"),
                    (500, "5 packets transmitted, 2 received, +1 duplicates, 60% packet loss, time 412ms"),
                ],
                0,
            ),
        );
        let sent: Vec<i64> = told.echoes.iter().map(|echo| echo.sent_ns / MS).collect();
        assert_eq!(sent, [10, 110, 210, 310, 410], "the second one interval after the first, the third when the second was missed");
        let answers: Vec<usize> = told.echoes.iter().map(|echo| echo.answers_ns.len()).collect();
        assert_eq!(answers, [2, 0, 0, 1, 0]);
        assert_eq!(told.echoes[4].refused, Some((412 * MS, "destination host unreachable, says 10.9.9.1".to_owned())));
        assert!(told.echoes.iter().all(|echo| !echo.unseen) && told.errors.is_empty());
    }

    #[test]
    fn what_comes_later_than_the_flow_waits_is_no_answer() {
        let lines = [
            (12, "64 bytes from b: icmp_seq=1 ttl=64 time=2.0 ms"),
            (170, "64 bytes from b: icmp_seq=2 ttl=64 time=60.0 ms"),
            (600, "2 packets transmitted, 2 received"),
        ];
        let flow = work("via ping { rate 10/s  duration 500ms  timeout { response 50ms } }");
        let told = read(&flow.work(), &heard(&lines, 0));
        assert_eq!(told.echoes.iter().map(|echo| echo.answers_ns.len()).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn one_that_is_told_to_end_does_not_know_of_the_last() {
        let flow = work("via ping { rate 10/s }\ntimeline { at 1s mark x }");
        let mut stopped = heard(&[(2, "64 bytes from b: icmp_seq=1 ttl=64 time=2.0 ms"), (600, "2 packets transmitted, 1 received")], 0);
        stopped.client.told_ns = Some(600 * MS);
        let told = read(&flow.work(), &stopped);
        assert_eq!(told.echoes.iter().map(|echo| echo.unseen).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn its_errors_and_that_nothing_came() {
        let flow = work("via ping { rate 10/s  duration 500ms }");
        let nothing = heard(&[(1, "PING x"), (600, "3 packets transmitted, 0 received, 100% packet loss, time 206ms")], 1);
        let told = read(&flow.work(), &nothing);
        assert_eq!((told.echoes.len(), told.errors.len()), (3, 0), "no answer is loss, not a failure of ping");
        let refused =
            [(5, "ping: local error: message too long, mtu=1500"), (400, "2 packets transmitted, 0 received, +2 errors, 100% packet loss")];
        let told = read(&flow.work(), &heard(&refused, 1));
        assert_eq!(
            (told.echoes.len(), told.echoes.iter().any(|echo| echo.unseen)),
            (2, false),
            "it knows that nothing came, however soon it ends"
        );
        let told = read(&flow.work(), &heard(&[(5, "ping: connect: Network is unreachable")], 2));
        assert_eq!((told.echoes, told.errors), (Vec::new(), vec![(5 * MS, "connect: Network is unreachable".to_owned())]));
        let told = read(&flow.work(), &heard(&[], 137));
        assert_eq!(told.errors, [(600 * MS, "it ended with signal 9".to_owned())]);
    }

    #[test]
    fn numbers_go_on_behind_the_last_of_16_bits() {
        assert_eq!((unwrapped(5, 0), unwrapped(65_535, 65_534), unwrapped(0, 65_535), unwrapped(3, 65_530)), (5, 65_535, 65_536, 65_539));
        assert_eq!(unwrapped(65_530, 65_540), 65_530, "an answer that is late");
    }

    #[test]
    fn what_a_flow_says_becomes_its_arguments() {
        let told = |head: &str| client(&work(head).work()).join(" ");
        assert_eq!(told("via ping { rate 10/s  duration 5s }"), "-n -D -O -i 0.1 -c 50 -W 1 10.0.0.2");
        assert_eq!(told("via ping { duration 1500ms }"), "-n -D -O -i 1 -c 2 -W 1 10.0.0.2");
        assert_eq!(
            told("via ping { over icmp { ttl 9  dscp 46  df on }  total 3  size 64B  timeout { response 200ms } }"),
            "-n -D -O -i 1 -c 3 -W 0.2 -s 64 -t 9 -Q 184 -M do 10.0.0.2"
        );
        assert_eq!(beyond(&work("via ping { rate 1000/s  duration 1s  size 16B }").work()), []);
        let mut small = work("via ping { duration 1s  size 16B }");
        small.flow.load.size = Some(Varying::Fixed(8));
        assert_eq!(beyond(&small.work())[0].0, "a `size` of less than 16B", "no room for the time");
    }
}
