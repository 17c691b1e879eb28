//! Links in words: ends, engine, and what each way does to packets. In: a plan. Out: their lines.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::topology::{
    Codel, Delay, DropKind, DropRule, Impairment, LinkKind, Loss, LossSpan, Queue, QueueLimit, Reorder, ReorderBy,
};

use super::super::types::{Plan, PlannedLink, Stages, Tunnel};
use super::words::{doc, duration, ports, quantity, quoted, ratio, size, varying};
use super::{Line, name};

/// Links with their engines.
pub(super) fn links(plan: &Plan) -> Vec<Line> {
    plan.links.iter().map(|one| link(plan, one)).collect()
}

fn link(plan: &Plan, link: &PlannedLink) -> Line {
    let PlannedLink { name: called, doc: says, kind, ends, engine, packets_alone, forward, back, tunnel, stages } = link;
    let end = |at: usize| {
        let (node, interface) = ends[at];
        let planned = plan.nodes.get(node.index()).and_then(|node| node.interfaces.get(interface as usize));
        format!("{}.{}", name(plan, node), planned.map_or("?", |interface| interface.name.as_str()))
    };
    let kind = match kind {
        LinkKind::Wire => String::new(),
        LinkKind::Vxlan { id, port } => format!("  vxlan {id}, port {port}"),
    };
    let engine = super::super::picture::engine(*engine);
    let mut below: Vec<Line> = doc(says).collect();
    below.extend(ways(Some(forward), Some(back)));
    below.extend(
        tunnel.map(|Tunnel { between: [one, other], mtu }| Line::computed(format!("between {one} and {other}, packets of {mtu}B"))),
    );
    below.extend(packets_alone.then(|| Line::computed("segmentation offload off at both ends: each packet crosses alone")));
    below.extend([("forward", stages[0]), ("back", stages[1])].into_iter().filter_map(|(way, stages)| netem_words(way, stages)));
    let meaning = format!("{} <-> {}{kind}", name(plan, ends[0].0), name(plan, ends[1].0));
    Line::new(called.clone(), meaning, format!("{called}: {} <-> {}  {engine}{kind}", end(0), end(1))).with(below)
}

/// What the kernel's netem is to do one way; `None`: nothing.
fn netem_words(way: &str, stages: Stages) -> Option<Line> {
    let all = [("loss", stages.loss), ("delay", stages.delay), ("rate", stages.rate)];
    let words: Vec<&str> = all.into_iter().filter(|(_, is)| *is).map(|(word, _)| word).collect();
    (!words.is_empty()).then(|| Line::computed(format!("{way}: {} by the kernel's netem", words.join(", then "))))
}

/// What the ways of a link do; those that do nothing are left out, alike ones stand once. `None`: not spoken of.
pub(super) fn ways(forward: Option<&Impairment>, back: Option<&Impairment>) -> Vec<Line> {
    if let (Some(one), Some(other)) = (forward, back)
        && one == other
    {
        return impairment_lines(one).into_iter().map(|line| prefixed("each way", line)).collect();
    }
    let both = [("forward", forward), ("back", back)];
    both.into_iter()
        .flat_map(|(way, of)| of.into_iter().flat_map(move |of| impairment_lines(of).into_iter().map(move |line| prefixed(way, line))))
        .collect()
}

/// The line with a word before it.
fn prefixed(word: &str, line: Line) -> Line {
    Line { key: format!("{word} {}", line.key), words: format!("{word}: {}", line.words), ..line }
}

/// What a link does one way, on one line.
#[must_use]
pub fn impairment(of: &Impairment) -> String {
    let lines: Vec<String> = impairment_lines(of).into_iter().map(|line| line.words).collect();
    if lines.is_empty() { "nothing".to_owned() } else { lines.join(", ") }
}

/// What a link does one way, one line a stage, in the order in which packets pass them; nothing for nothing.
fn impairment_lines(of: &Impairment) -> Vec<Line> {
    let Impairment {
        drops,
        mtu_black_hole,
        loss,
        corrupt_nano,
        duplicate_nano,
        rate_bps,
        overhead_bytes,
        queue,
        delay,
        keep_order,
        reorder,
    } = of;
    let mut lines: Vec<Line> = drops.iter().map(|rule| Line::about(format!("drop {}", drop_words(*rule)))).collect();
    lines.extend(mtu_black_hole.map(|mtu| Line::pair("mtu_black_hole", mtu.to_string())));
    lines.extend(loss_words(loss).map(|words| Line::pair("loss", words)));
    lines.extend((*corrupt_nano > 0).then(|| Line::pair("corrupt", ratio(*corrupt_nano))));
    lines.extend((*duplicate_nano > 0).then(|| Line::pair("duplicate", ratio(*duplicate_nano))));
    if let Some(rate) = rate_bps {
        let overhead = if *overhead_bytes > 0 { format!(" with {} more a frame", size(u64::from(*overhead_bytes))) } else { String::new() };
        lines.push(Line::pair("rate", format!("{}{overhead}", quantity(Dimension::Bandwidth, *rate))));
    }
    if rate_bps.is_some() || *queue != Queue::default() {
        lines.push(Line::pair("queue", queue_words(*queue)));
    }
    lines.extend(delay_words(delay).map(|words| Line::pair("delay", words)));
    lines.extend((!keep_order).then(|| Line::pair("keep_order", "off")));
    lines.extend(reorder.map(|reorder| Line::pair("reorder", reorder_words(reorder))));
    lines
}

fn drop_words(rule: DropRule) -> String {
    let DropRule { kind, ports: of } = rule;
    let kind = match kind {
        DropKind::Arp => "arp",
        DropKind::Nd => "nd",
        DropKind::Ipv4 => "ipv4",
        DropKind::Ipv6 => "ipv6",
        DropKind::Icmp => "icmp",
        DropKind::Tcp => "tcp",
        DropKind::Udp => "udp",
        DropKind::Sctp => "sctp",
    };
    of.map_or_else(|| kind.to_owned(), |of| format!("{kind} port {}", ports(of)))
}

fn loss_words(loss: &Loss) -> Option<String> {
    Some(match loss {
        Loss::None => return None,
        Loss::Random { ratio_nano } => ratio(*ratio_nano),
        Loss::Every { n } => format!("every {n}"),
        Loss::GilbertElliott { p_nano, r_nano, good_nano, bad_nano } => {
            let [p, r, good, bad] = [p_nano, r_nano, good_nano, bad_nano].map(|nano| ratio(*nano));
            format!("gilbert_elliott({p}, {r}, good {good}, bad {bad})")
        }
        Loss::List(spans) => {
            let span = |span: &LossSpan| match span {
                LossSpan::Packets(from, to) if from == to => format!("packet {from}"),
                LossSpan::Packets(from, to) => format!("packets {from}..{to}"),
                LossSpan::Time(from, to) => format!("{}..{}", duration(*from), duration(*to)),
            };
            format!("[{}]", spans.iter().map(span).collect::<Vec<_>>().join(", "))
        }
        Loss::Trace(file) => format!("trace {}", quoted(file)),
    })
}

fn queue_words(queue: Queue) -> String {
    let Queue { limit, said, codel } = queue;
    let limit = match limit {
        QueueLimit::Bytes(bytes) => size(bytes),
        QueueLimit::Packets(packets) => format!("{packets} packets"),
    };
    let default = if said { "" } else { " (the default)" };
    let codel = codel.map(|Codel { target_ns, interval_ns, ecn }| {
        let marks = if ecn { ", ecn" } else { "" };
        format!(", codel target {} interval {}{marks}", duration(target_ns), duration(interval_ns))
    });
    format!("{limit}{default}{}", codel.unwrap_or_default())
}

fn delay_words(delay: &Delay) -> Option<String> {
    match delay {
        Delay::Drawn(Varying::Fixed(0)) => None,
        Delay::Drawn(delay) => Some(varying(delay, Dimension::Duration)),
        Delay::Trace(file) => Some(format!("trace {}", quoted(file))),
    }
}

fn reorder_words(reorder: Reorder) -> String {
    let Reorder { ratio_nano, by } = reorder;
    let by = match by {
        ReorderBy::Packets(packets) => super::words::count(packets, "packet", "packets"),
        ReorderBy::Time(ns) => duration(ns),
    };
    format!("{} by {by}", ratio(ratio_nano))
}
