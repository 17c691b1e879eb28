//! How fast an open loop starts what it starts. In: a flow's load and what its transactions carry. Out: the instant at which so many are due,
//! whatever the rate does meanwhile. Draws nothing and waits for nothing.

use scn_grammar::scenario::flow::{Change, Load};
use scn_grammar::scenario::frame::FramePayload;
use scn_grammar::scenario::pattern::Pattern;
use scn_grammar::scenario::transport::{Transport, Wire};

use super::payload;
use super::profile::Profile;

/// Payload of an echo request, if nothing is said, bytes.
const ECHO_BYTES: f64 = 56.0;
/// A message of ctraffic's wire if nothing is said, bytes.
const CTRAFFIC_BYTES: f64 = 1024.0;

/// A rate of starts, and how it changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// At the beginning, in 1e-9/s.
    pub rate_nano: u64,
    /// What it does then, in 1e-9/s.
    pub change: Option<Change>,
}

impl Pace {
    /// Of transactions or items: by `rate`, or as many as make the `bandwidth`. `None`: they follow each other in a closed loop, or what
    /// they carry is not known before the run.
    #[must_use]
    pub fn of_transactions(load: &Load, pattern: Option<&Pattern>, transport: &Transport) -> Option<Pace> {
        if let Some(rate_nano) = load.rate_nano {
            return Some(Pace { rate_nano, change: load.rate_change.clone() });
        }
        let bandwidth = load.bandwidth_bps?;
        let rate_nano = rate_of_bandwidth(bandwidth, load, pattern, transport)?;
        let rate = |bps: u64| rate_of_bandwidth(bps, load, pattern, transport).unwrap_or(rate_nano);
        let change = load.bandwidth_change.as_ref().map(|change| match change {
            Change::Ramp { to, within_ns } => Change::Ramp { to: rate(*to), within_ns: *within_ns },
            Change::Steps { then, every_ns } => Change::Steps { then: then.iter().map(|bps| rate(*bps)).collect(), every_ns: *every_ns },
        });
        Some(Pace { rate_nano, change })
    }

    /// Of connections, by `opens`; `None`: they are not opened by the clock.
    #[must_use]
    pub fn of_connections(load: &Load) -> Option<Pace> {
        load.opens_nano.map(|rate_nano| Pace { rate_nano, change: load.opens_change.clone() })
    }

    /// How it goes over time from an instant on.
    #[must_use]
    pub fn profile(&self, from_ns: i64) -> Profile {
        Profile::new(from_ns, self.rate_nano.max(1), self.change.as_ref())
    }

    /// When the start number `k` is due, ns after the first one: exact, without drift.
    #[must_use]
    pub fn start_ns(&self, k: u64) -> i64 {
        self.profile(0).start_ns(k)
    }

    /// When so many starts are due, whole ones and parts of the next, ns.
    #[must_use]
    pub fn due_ns(&self, starts: f64) -> i64 {
        self.profile(0).due_ns(starts)
    }
}

/// Transactions or items a second, in 1e-9/s, that carry so many bit/s; `None`: what one of them carries is not known before the run.
#[must_use]
pub fn rate_of_bandwidth(bps: u64, load: &Load, pattern: Option<&Pattern>, transport: &Transport) -> Option<u64> {
    let bits = 8.0 * carried(load, pattern, transport)?;
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate, rounded")]
    let rate = ((bps as f64 / bits * 1e9).round() as u64).max(1);
    Some(rate)
}

/// Payload of one transaction or item, bytes.
fn carried(load: &Load, pattern: Option<&Pattern>, transport: &Transport) -> Option<f64> {
    match (pattern, transport) {
        (Some(pattern), _) => payload::mean(pattern).filter(|bytes| *bytes > 0.0),
        // A message and its answer.
        (None, Transport::Tcp { wire: Wire::Ctraffic, .. } | Transport::Udp { wire: Wire::Ctraffic, .. }) => {
            load.size.as_ref().map_or(Some(CTRAFFIC_BYTES), |size| size.mean()).map(|bytes| 2.0 * bytes)
        }
        (None, Transport::Icmp(_)) => load.size.as_ref().map_or(Some(ECHO_BYTES), |size| size.mean()).filter(|bytes| *bytes > 0.0),
        (None, Transport::Frames(frame)) => {
            let filled = match &frame.payload {
                Some(FramePayload::Filled(size) | FramePayload::Random(size)) => size.mean(),
                #[expect(clippy::cast_precision_loss, reason = "no payload is that long")]
                Some(FramePayload::Bytes(bytes)) => Some(bytes.len() as f64),
                None => None,
            };
            filled.filter(|bytes| *bytes > 0.0)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BILLION: u64 = 1_000_000_000;

    fn ramp(from: u64, to: u64, seconds: u64) -> Pace {
        Pace { rate_nano: from * BILLION, change: Some(Change::Ramp { to: to * BILLION, within_ns: seconds * BILLION }) }
    }

    #[test]
    fn a_constant_rate_is_exact() {
        let pace = Pace { rate_nano: 3 * BILLION, change: None };
        assert_eq!([0, 1, 2].map(|k| pace.start_ns(k)), [0, 333_333_333, 666_666_666]);
        assert_eq!(pace.start_ns(3_000_000_000), 1_000_000_000_000_000_000);
    }

    #[test]
    fn a_ramp_starts_what_lies_under_it_and_goes_on_at_its_end() {
        // 10/s to 100/s within 2 s: 110 starts, then one each 10 ms.
        let pace = ramp(10, 100, 2);
        assert_eq!(pace.start_ns(0), 0);
        assert!(pace.start_ns(109) < 2_000_000_000);
        assert!((pace.start_ns(110) - 2_000_000_000).abs() <= 1, "{}", pace.start_ns(110));
        assert!((pace.start_ns(210) - 3_000_000_000).abs() <= 1);
        // After half of the time: 10 + 22.5.
        assert!((pace.due_ns(32.5) - 1_000_000_000).abs() <= 1);
        let down = ramp(100, 10, 2);
        assert!((down.due_ns(77.5) - 1_000_000_000).abs() <= 1);
        assert!((down.start_ns(110) - 2_000_000_000).abs() <= 1);
        assert!((down.start_ns(111) - 2_100_000_000).abs() <= 1);
        assert!((ramp(50, 50, 1).start_ns(75) - 1_500_000_000).abs() <= 1);
    }

    #[test]
    fn steps_follow_each_other_and_the_last_stays() {
        let then = vec![50 * BILLION, 100 * BILLION];
        let pace = Pace { rate_nano: 10 * BILLION, change: Some(Change::Steps { then, every_ns: BILLION }) };
        let at = |k| pace.start_ns(k) / 1_000_000;
        assert_eq!([at(1), at(9), at(10), at(11), at(60), at(61), at(260)], [100, 900, 1000, 1020, 2000, 2010, 4000]);
    }

    #[test]
    fn starts_never_go_back() {
        for pace in [ramp(1, 1000, 5), ramp(1000, 1, 5)] {
            let all: Vec<i64> = (0..6000).map(|k| pace.start_ns(k)).collect();
            assert!(all.is_sorted());
        }
    }
}
