//! An impairment that changes evenly. In: what it was, what it becomes, how far the time is. Out: what it is then. What has no number to
//! change evenly is at once as it becomes.

use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::topology::{Codel, Delay, Impairment, Loss, Queue, QueueLimit, Reorder};

/// How far: `done` of `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) done: u64,
    pub(super) all: u64,
}

impl Share {
    /// A number between two.
    fn of(self, from: u64, to: u64) -> u64 {
        let (all, done) = (i128::from(self.all.max(1)), i128::from(self.done.min(self.all.max(1))));
        let value = i128::from(from) + (i128::from(to) - i128::from(from)) * done / all;
        u64::try_from(value).unwrap_or(to)
    }

    fn of_some(self, from: Option<u64>, to: Option<u64>) -> Option<u64> {
        from.zip(to).map_or(to, |(from, to)| Some(self.of(from, to)))
    }

    fn of_small(self, from: u32, to: u32) -> u32 {
        u32::try_from(self.of(from.into(), to.into())).unwrap_or(to)
    }
}

/// What lies between two impairments.
pub(super) fn between(from: &Impairment, to: &Impairment, share: Share) -> Impairment {
    Impairment {
        drops: to.drops.clone(),
        mtu_black_hole: from.mtu_black_hole.zip(to.mtu_black_hole).map_or(to.mtu_black_hole, |(a, b)| Some(share.of_small(a, b))),
        loss: loss(&from.loss, &to.loss, share),
        corrupt_nano: share.of(from.corrupt_nano, to.corrupt_nano),
        duplicate_nano: share.of(from.duplicate_nano, to.duplicate_nano),
        rate_bps: share.of_some(from.rate_bps, to.rate_bps),
        overhead_bytes: share.of_small(from.overhead_bytes, to.overhead_bytes),
        queue: queue(from.queue, to.queue, share),
        delay: match (&from.delay, &to.delay) {
            (Delay::Drawn(from), Delay::Drawn(to)) => Delay::Drawn(varying(from, to, share)),
            (_, to) => to.clone(),
        },
        keep_order: to.keep_order,
        reorder: to.reorder.map(|reorder| {
            let before = from.reorder.map_or(0, |reorder| reorder.ratio_nano);
            Reorder { ratio_nano: share.of(before, reorder.ratio_nano), ..reorder }
        }),
    }
}

fn loss(from: &Loss, to: &Loss, share: Share) -> Loss {
    match (from, to) {
        (Loss::Random { ratio_nano: from }, Loss::Random { ratio_nano: to }) => Loss::Random { ratio_nano: share.of(*from, *to) },
        (Loss::None, Loss::Random { ratio_nano: to }) => Loss::Random { ratio_nano: share.of(0, *to) },
        (Loss::Random { ratio_nano: from }, Loss::None) if share.done < share.all => Loss::Random { ratio_nano: share.of(*from, 0) },
        (
            Loss::GilbertElliott { p_nano: p, r_nano: r, good_nano: good, bad_nano: bad },
            Loss::GilbertElliott { p_nano, r_nano, good_nano, bad_nano },
        ) => Loss::GilbertElliott {
            p_nano: share.of(*p, *p_nano),
            r_nano: share.of(*r, *r_nano),
            good_nano: share.of(*good, *good_nano),
            bad_nano: share.of(*bad, *bad_nano),
        },
        (_, to) => to.clone(),
    }
}

fn queue(from: Queue, to: Queue, share: Share) -> Queue {
    let limit = match (from.limit, to.limit) {
        (QueueLimit::Bytes(from), QueueLimit::Bytes(to)) => QueueLimit::Bytes(share.of(from, to)),
        (QueueLimit::Packets(from), QueueLimit::Packets(to)) => QueueLimit::Packets(share.of(from, to)),
        (_, to) => to,
    };
    let codel = match (from.codel, to.codel) {
        (Some(from), Some(to)) => Some(Codel {
            target_ns: share.of(from.target_ns, to.target_ns),
            interval_ns: share.of(from.interval_ns, to.interval_ns),
            ecn: to.ecn,
        }),
        (_, to) => to,
    };
    Queue { limit, codel, ..to }
}

fn varying(from: &Varying, to: &Varying, share: Share) -> Varying {
    use Varying::{Exponential, Fixed, Normal, Pareto, Uniform};
    match (from, to) {
        (Fixed(from), Fixed(to)) => Fixed(share.of(*from, *to)),
        (Uniform(a, b), Uniform(c, d)) => Uniform(share.of(*a, *c), share.of(*b, *d)),
        // A fixed delay is one without any width.
        (Fixed(from), Uniform(a, b)) => Uniform(share.of(*from, *a), share.of(*from, *b)),
        (Uniform(a, b), Fixed(to)) if share.done < share.all => Uniform(share.of(*a, *to), share.of(*b, *to)),
        (Normal(a, b), Normal(c, d)) => Normal(share.of(*a, *c), share.of(*b, *d)),
        (Fixed(from), Normal(mean, deviation)) => Normal(share.of(*from, *mean), share.of(0, *deviation)),
        (Normal(mean, deviation), Fixed(to)) if share.done < share.all => Normal(share.of(*mean, *to), share.of(*deviation, 0)),
        (Exponential(from), Exponential(to)) => Exponential(share.of(*from, *to)),
        (Pareto(a, b), Pareto(c, d)) => Pareto(share.of(*a, *c), share.of(*b, *d)),
        (_, to) => to.clone(),
    }
}
