//! What became of single datagrams, each way by itself: sent, received, lost, late, copied (RFC 5560), overtaken (RFC 4737). In: a
//! series. Out: counts by their instants, and the loss of one way (RFC 7680).
//!
//! A datagram belongs to its sending where it is *sent* or *lost*, to its arrival otherwise. A way's datagram is reordered when one of
//! the same socket that was sent later arrived before it.

use std::collections::BTreeMap;

use scn_reports::record::packet::{Packet, PacketFate, PacketWay};

use super::series::Series;
use super::{Measured, Window};

/// The way that a metric's name begins with.
pub(super) fn way_of(name: &str) -> (Option<PacketWay>, &str) {
    match name.split_once('.') {
        Some(("forward", rest)) => (Some(PacketWay::Forward), rest),
        Some(("back", rest)) => (Some(PacketWay::Back), rest),
        _ => (None, name),
    }
}

/// The datagrams of a flow; none if it has connections.
pub(super) fn all<'a>(flow: &Series<'a>) -> &'a [Packet] {
    flow.record.datagrams.as_ref().map_or(&[], |datagrams| &datagrams.packets)
}

/// It came, and was not there before.
fn is_first(packet: &Packet) -> bool {
    matches!(packet.fate, PacketFate::Arrived | PacketFate::Late)
}

/// The instants of what a metric counts over the whole run, in no order; `None`: it counts no datagrams.
fn instants(flow: &Series<'_>, name: &str) -> Option<Vec<i64>> {
    use PacketFate::{Copy, Late, Lost};
    flow.record.datagrams.as_ref()?;
    let (way, what) = way_of(name);
    let of_way = all(flow).iter().filter(|packet| way.is_none_or(|way| packet.way == way));
    Some(match (way, what) {
        (None, "late") => flow.record.datagrams.iter().flat_map(|datagrams| datagrams.late_ns.iter().copied()).collect(),
        (_, "duplicates") => of_way.filter(|packet| packet.fate == Copy).map(|packet| packet.received_ns).collect(),
        (_, "reordered") => overtaken(of_way.filter(|packet| is_first(packet))),
        (Some(_), "sent") => of_way.filter(|packet| packet.fate != Copy).map(|packet| packet.sent_ns).collect(),
        (Some(_), "received") => of_way.filter(|packet| is_first(packet)).map(|packet| packet.received_ns).collect(),
        (Some(_), "lost") => of_way.filter(|packet| matches!(packet.fate, Lost | Late)).map(|packet| packet.sent_ns).collect(),
        (Some(_), "late") => of_way.filter(|packet| packet.fate == Late).map(|packet| packet.received_ns).collect(),
        _ => return None,
    })
}

/// When those arrived that a later one of the same socket and way had overtaken.
fn overtaken<'p>(packets: impl Iterator<Item = &'p Packet>) -> Vec<i64> {
    let mut packets: Vec<&Packet> = packets.collect();
    packets.sort_unstable_by_key(|packet| (packet.received_ns, packet.sent_ns));
    let mut last_sent: BTreeMap<(PacketWay, u32), i64> = BTreeMap::new();
    let mut late = Vec::new();
    for packet in packets {
        let last = last_sent.entry((packet.way, packet.connection)).or_insert(packet.sent_ns);
        if packet.sent_ns < *last {
            late.push(packet.received_ns);
        }
        *last = packet.sent_ns.max(*last);
    }
    late
}

/// The instants of what a metric counts in a window; `None`: it counts no datagrams.
pub(super) fn counted(flow: &Series<'_>, name: &str, window: Window) -> Option<Vec<i64>> {
    let inside = |at: &i64| (window.from_ns..window.to_ns).contains(at);
    Some(instants(flow, name)?.into_iter().map(|at| flow.counted_at(at)).filter(inside).collect())
}

/// A count of a window. None of what goes wrong is no good news where nothing could have gone wrong.
pub(super) fn count(flow: &Series<'_>, name: &str, window: Window) -> Option<Measured> {
    let found = counted(flow, name, window)?;
    let (way, what) = way_of(name);
    let needs_sent = matches!(what, "lost" | "late");
    let could = |packet: &&Packet| {
        let at = if needs_sent { packet.sent_ns } else { packet.received_ns };
        let there = if needs_sent { packet.fate != PacketFate::Copy } else { is_first(packet) };
        there && way.is_none_or(|way| packet.way == way) && (window.from_ns..window.to_ns).contains(&flow.counted_at(at))
    };
    let wrong = matches!(what, "lost" | "late" | "duplicates" | "reordered");
    if found.is_empty() && wrong && !all(flow).iter().any(|packet| could(&packet)) {
        let why = if needs_sent { "no datagram was sent in the window" } else { "no datagram was received in the window" };
        return Some(Measured::nothing(why));
    }
    Some(Measured::exact(found.len() as f64, found.len() as u64))
}

/// `forward.loss`, `back.loss`: lost over sent datagrams of one way, both by the instant of sending. Those whose fate was not seen may
/// all have been lost.
pub(super) fn loss(flow: &Series<'_>, way: PacketWay, window: Window) -> Measured {
    let (mut sent, mut lost, mut unseen) = (0u64, 0u64, 0u64);
    for packet in all(flow).iter().filter(|packet| packet.way == way && packet.fate != PacketFate::Copy) {
        if (window.from_ns..window.to_ns).contains(&flow.counted_at(packet.sent_ns)) {
            sent += 1;
            lost += u64::from(matches!(packet.fate, PacketFate::Lost | PacketFate::Late));
            unseen += u64::from(packet.fate == PacketFate::Unseen);
        }
    }
    if sent == 0 {
        return Measured::nothing("no datagram was sent that way in the window");
    }
    let measured = Measured { above: unseen as f64 / sent as f64, ..Measured::exact(lost as f64 / sent as f64, sent) };
    measured.noted((unseen > 0).then(|| format!("the fate of {unseen} sent datagrams was not seen")))
}
