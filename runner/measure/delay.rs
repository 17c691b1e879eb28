//! Delays of single datagrams. `rtt.*`: from a datagram's sending to its answer (RFC 2681). `owd.*`: one way (RFC 7679); both ends are
//! read on one clock, so that it has no error of its own. `delay_variation.*`: over the least delay of the window (RFC 5481). In: a
//! series. Out: distributions. Copies, and what came after it had been counted as lost, have no delay.

use scn_reports::record::flow::NEVER;
use scn_reports::record::packet::{Packet, PacketFate, PacketWay};

use super::Window;
use super::distribution::Distribution;
use super::packets::all;
use super::series::Series;

/// The delays of the datagrams that arrived in a window, with their instants.
fn delays<'a>(flow: &'a Series<'_>, window: Window, delay: impl Fn(&Packet) -> Option<i64> + 'a) -> impl Iterator<Item = (i64, i64)> + 'a {
    let arrived = all(flow).iter().filter(|packet| packet.fate == PacketFate::Arrived);
    let inside = move |packet: &&Packet| (window.from_ns..window.to_ns).contains(&flow.counted_at(packet.received_ns));
    arrived.filter(inside).filter_map(move |packet| Some((delay(packet)?.max(0), packet.received_ns)))
}

/// From the sending of what is answered to the answer.
pub(super) fn round_trip(flow: &Series<'_>, window: Window) -> Distribution {
    let delay = |packet: &Packet| (packet.asked_ns != NEVER).then(|| packet.received_ns - packet.asked_ns);
    Distribution::new(delays(flow, window, delay), 1.0, "no answer came in the window")
}

/// From sending to arrival.
pub(super) fn one_way(flow: &Series<'_>, window: Window, way: PacketWay) -> Distribution {
    Distribution::new(delays(flow, window, |packet| of_way(packet, way)), 1.0, "no datagram arrived that way in the window")
}

/// The delay over the least one of the window; `None`: of the way to the server, or of the round trip where only that is known.
pub(super) fn variation(flow: &Series<'_>, window: Window, way: Option<PacketWay>) -> Distribution {
    let forward = || all(flow).iter().any(|packet| packet.way == PacketWay::Forward);
    let way = way.unwrap_or_else(|| if forward() { PacketWay::Forward } else { PacketWay::Round });
    let samples: Vec<(i64, i64)> = delays(flow, window, |packet| of_way(packet, way)).collect();
    let least = samples.iter().map(|(delay, _)| *delay).min().unwrap_or(0);
    Distribution::new(samples.into_iter().map(|(delay, at)| (delay - least, at)), 1.0, "no datagram arrived that way in the window")
}

fn of_way(packet: &Packet, way: PacketWay) -> Option<i64> {
    let from = if way == PacketWay::Round { packet.asked_ns } else { packet.sent_ns };
    (packet.way == way && from != NEVER).then(|| packet.received_ns - from)
}
