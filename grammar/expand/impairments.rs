//! What links are told to do to packets. In: options of a link, of one of its ways, or of the verb `impair`. Out: an [`Impairment`]
//! for each way. Applies nothing.

use super::draft::Draft;
use super::error::ExpandError;
use super::net_error::NetError;
use super::options::{Found, Known, Said};
use super::reading::{Bounds, WHOLE};
use crate::quantity::Dimension;
use crate::resolve::suggest::suggest;
use crate::scenario::pattern::Varying;
use crate::scenario::topology::{Codel, Delay, DropKind, DropRule, Impairment, Queue, QueueLimit, Reorder, ReorderBy};
use crate::syntax::tree::{Block, TreeOption};

/// A packet is delayed by at most this, ns.
const DELAY_LIMIT_NS: i64 = 600_000_000_000;
/// Rates of links, bit/s.
const RATE: Bounds = Bounds(Dimension::Bandwidth, 1_000, 400_000_000_000);
/// Bytes of one queue.
const QUEUE_BYTES: Bounds = Bounds(Dimension::Size, 64, 1 << 32);
/// Packets of one queue.
const QUEUE_PACKETS: Bounds = Bounds(Dimension::Count, 1, 10_000_000);
/// Bytes that a frame counts more than it has.
const OVERHEAD: Bounds = Bounds(Dimension::Size, 0, 1_000);
/// A share of packets.
const SHARE: Bounds = Bounds(Dimension::Ratio, 0, WHOLE);
/// Packets that overtake one that is held back.
const OVERTAKE: Bounds = Bounds(Dimension::Count, 1, 10_000);

/// The options of one way of a link, or of both.
pub(crate) const WAY_OPTIONS: Known = Known {
    what: "one way of a link",
    once: &[
        "rate",
        "overhead",
        "queue",
        "delay",
        "jitter",
        "distribution",
        "keep_order",
        "reorder",
        "loss",
        "duplicate",
        "corrupt",
        "mtu_black_hole",
        "drop",
    ],
    many: &[],
};
/// What `impair` sets.
pub(crate) const IMPAIR_OPTIONS: Known = Known {
    what: "`impair`",
    once: &[
        "rate",
        "overhead",
        "queue",
        "delay",
        "jitter",
        "distribution",
        "keep_order",
        "reorder",
        "loss",
        "duplicate",
        "corrupt",
        "mtu_black_hole",
        "drop",
        "forward",
        "back",
    ],
    many: &[],
};
/// The options of `queue codel`.
pub(crate) const CODEL_OPTIONS: Known = Known { what: "`queue codel`", once: &["target", "interval", "ecn"], many: &[] };
/// The words of `distribution`.
pub(crate) const DISTRIBUTIONS: &[(&str, Spread)] = &[("uniform", Spread::Uniform), ("normal", Spread::Normal), ("pareto", Spread::Pareto)];
/// The words of `drop`.
pub(crate) const DROPS: &[(&str, DropKind)] = &[
    ("arp", DropKind::Arp),
    ("nd", DropKind::Nd),
    ("ipv4", DropKind::Ipv4),
    ("ipv6", DropKind::Ipv6),
    ("icmp", DropKind::Icmp),
    ("tcp", DropKind::Tcp),
    ("udp", DropKind::Udp),
    ("sctp", DropKind::Sctp),
];

/// How jitter lies around the delay.
#[derive(Clone, Copy)]
pub(crate) enum Spread {
    Uniform,
    Normal,
    Pareto,
}

/// What `impair` sets: the ways it names.
pub(super) struct Ways {
    /// From the first end to the second; `None`: not named.
    pub forward: Option<Impairment>,
    /// From the second end to the first.
    pub back: Option<Impairment>,
}

impl Draft<'_, '_> {
    /// What a block of `impair` says. Without `forward` and `back` it is of both ways.
    pub(super) fn impair_ways(&mut self, options: &Block<TreeOption>) -> Option<Ways> {
        let before = self.context.problems.len();
        let found = self.options(options, &IMPAIR_OPTIONS);
        let (forward, back) = self.both_ways(&found);
        if self.context.problems.len() > before {
            return None;
        }
        let both = WAY_OPTIONS.once.iter().chain(WAY_OPTIONS.many).any(|name| found.get(name).is_some())
            || (found.get("forward").is_none() && found.get("back").is_none());
        let named = |way: &str, impairment| (both || found.get(way).is_some()).then_some(impairment);
        Some(Ways { forward: named("forward", forward), back: named("back", back) })
    }

    /// What a link does each way: what is said of both, and what `forward` and `back` say.
    pub(super) fn both_ways(&mut self, found: &Found<'_>) -> (Impairment, Impairment) {
        let mut ways = [None, None];
        for (way, name) in ways.iter_mut().zip(["forward", "back"]) {
            let Some(said) = found.get(name) else { continue };
            self.only_block(said, &format!("{name} {{ delay 20ms }}"));
            *way = Some(self.within_scope(&said.scope, |draft| draft.options(&said.option.block, &WAY_OPTIONS)));
        }
        for name in WAY_OPTIONS.once {
            let Some(outer) = found.get(name) else { continue };
            for inner in ways.iter().flatten().filter_map(|way| way.get(name)) {
                let (span, first) = (inner.span(), outer.span());
                self.context.raise(ExpandError::OptionTwice { name: (*name).into(), span, first });
            }
        }
        let [forward, back] = ways;
        let mut made = [&forward, &back].map(|way| self.impairment(found, way.as_ref()));
        let back = std::mem::take(&mut made[1]);
        (std::mem::take(&mut made[0]), back)
    }

    /// What is said of one way, there or of both.
    fn impairment(&mut self, both: &Found<'_>, way: Option<&Found<'_>>) -> Impairment {
        let get = |name: &str| way.and_then(|way| way.get(name)).or(both.get(name));
        let mut made = Impairment::default();
        let share = |draft: &mut Self, name: &str| get(name).and_then(|said| draft.amount(said, SHARE, &format!("{name} 1%"))).unwrap_or(0);
        made.corrupt_nano = share(self, "corrupt");
        made.duplicate_nano = share(self, "duplicate");
        made.rate_bps = get("rate").and_then(|said| self.amount(said, RATE, "rate 100Mbit/s"));
        if let Some(said) = get("overhead") {
            self.needs_rate(said, get("rate").is_some());
            made.overhead_bytes = self.amount(said, OVERHEAD, "overhead 24B").and_then(|v| u32::try_from(v).ok()).unwrap_or(0);
        }
        if let Some(said) = get("queue") {
            self.needs_rate(said, get("rate").is_some());
            made.queue = self.queue(said).unwrap_or_default();
        }
        made.delay = self.delay(get("delay"), get("jitter"), get("distribution")).unwrap_or(made.delay);
        made.loss = get("loss").and_then(|said| self.loss(said)).unwrap_or_default();
        if let Some(said) = get("keep_order") {
            made.keep_order = self.switch(said).unwrap_or(true);
        }
        made.reorder = get("reorder").and_then(|said| self.reorder(said));
        let hole = Bounds(Dimension::Size, 68, 65_535);
        made.mtu_black_hole =
            get("mtu_black_hole").and_then(|said| self.amount(said, hole, "mtu_black_hole 1400B")).and_then(|v| u32::try_from(v).ok());
        let drops = way.map_or(&[][..], |way| way.all("drop")).iter().chain(both.all("drop"));
        made.drops = drops.filter_map(|said| self.drop_rule(said)).collect();
        made
    }

    fn needs_rate(&mut self, said: &Said<'_>, rate: bool) {
        if !rate {
            let (option, span) = (said.option.name.text.clone(), said.span());
            let help = "say `rate 10Mbit/s` of the same way: without it nothing waits".to_owned();
            self.context.raise(NetError::OptionNeeds { option, needs: "a `rate`".into(), span, help });
        }
    }

    /// `queue 100KiB`, `queue 1000`, `queue codel 100KiB { target 5ms }`.
    fn queue(&mut self, said: &Said<'_>) -> Option<Queue> {
        let form = "queue 100KiB";
        let (codel, rest) = match said.option.values.split_first() {
            Some((first, rest)) if self.word_of(first, &said.scope).as_deref() == Some("codel") => (true, rest),
            _ => (false, said.option.values.as_slice()),
        };
        let limit = match rest {
            [] if codel => None,
            [one] => {
                use crate::expand::value::{Type, Value};
                let value = self.context.evaluate(one, &said.scope)?;
                let size = matches!(value.clone().as_type(Type::Of(Dimension::Size)), Some(Value::Quantity(_)));
                let bounds = if size { QUEUE_BYTES } else { QUEUE_PACKETS };
                let limit = self.amount_of("queue", one, bounds, &said.scope)?;
                Some(if size { QueueLimit::Bytes(limit) } else { QueueLimit::Packets(limit) })
            }
            _ => {
                self.wrong_form(said, form);
                return None;
            }
        };
        if !codel && !said.option.block.is_empty() {
            self.wrong_form(said, "queue codel { target 5ms }");
            return None;
        }
        let codel = if codel { Some(self.codel(said)) } else { None };
        Some(Queue { limit: limit.unwrap_or(Queue::default().limit), said: limit.is_some(), codel })
    }

    fn codel(&mut self, said: &Said<'_>) -> Codel {
        let found = self.within_scope(&said.scope, |draft| draft.options(&said.option.block, &CODEL_OPTIONS));
        let time = Bounds(Dimension::Duration, 1_000, 10_000_000_000);
        let mut lasting =
            |name: &str, default: u64| found.get(name).and_then(|said| self.amount(said, time, &format!("{name} 5ms"))).unwrap_or(default);
        let (target_ns, interval_ns) = (lasting("target", 5_000_000), lasting("interval", 100_000_000));
        let ecn = found.get("ecn").and_then(|said| self.switch(said)).unwrap_or(false);
        Codel { target_ns, interval_ns, ecn }
    }

    /// `delay 20ms`, `delay normal(20ms, 2ms)`, `delay trace "file"`, with `jitter` and `distribution`.
    fn delay(&mut self, delay: Option<&Said<'_>>, jitter: Option<&Said<'_>>, distribution: Option<&Said<'_>>) -> Option<Delay> {
        if let (Some(distribution), None) = (distribution, jitter) {
            let help = "say how much with `jitter 2ms`".to_owned();
            let (option, span) = ("distribution".to_owned(), distribution.span());
            self.context.raise(NetError::OptionNeeds { option, needs: "a `jitter`".into(), span, help });
        }
        let Some(said) = delay else {
            if let Some(jitter) = jitter {
                let (option, span) = ("jitter".to_owned(), jitter.span());
                let help = "say `delay 20ms  jitter 2ms`: jitter lies around a delay".to_owned();
                self.context.raise(NetError::OptionNeeds { option, needs: "a `delay`".into(), span, help });
            }
            return None;
        };
        let bounds = Bounds(Dimension::Duration, 0, DELAY_LIMIT_NS);
        let made = match said.option.values.as_slice() {
            [first, file] if self.word_of(first, &said.scope).as_deref() == Some("trace") => Delay::Trace(self.text_of(file, &said.scope)?),
            _ => Delay::Drawn(self.varying(said, bounds, "delay 20ms")?),
        };
        let Some(jitter) = jitter else { return Some(made) };
        let Delay::Drawn(Varying::Fixed(mean)) = made else {
            let message = "this delay varies already".to_owned();
            let (span, other) = (jitter.span(), said.option.span);
            let help = "leave `jitter` out, or say one delay such as `20ms`".to_owned();
            self.context.raise(ExpandError::OptionConflict { message, span, other, help });
            return None;
        };
        let spread = distribution.map_or(Some(Spread::Uniform), |said| self.choice(said, DISTRIBUTIONS))?;
        let most = i64::try_from(mean).unwrap_or(i64::MAX);
        let by = self.amount(jitter, Bounds(Dimension::Duration, 0, most), "jitter 2ms")?;
        Some(Delay::Drawn(around(mean, by, spread)))
    }

    /// `reorder 1%`, `reorder 1% after 3`, `reorder 1% after 5ms`.
    fn reorder(&mut self, said: &Said<'_>) -> Option<Reorder> {
        let (share, by) = match said.option.values.as_slice() {
            [share] => (share, None),
            [share, after, by] if self.word_of(after, &said.scope).as_deref() == Some("after") => (share, Some(by)),
            _ => {
                self.wrong_form(said, "reorder 1% after 3");
                return None;
            }
        };
        let ratio_nano = self.amount_of("reorder", share, SHARE, &said.scope)?;
        let by = match by {
            None => ReorderBy::Packets(1),
            Some(expr) => {
                use crate::expand::value::{Type, Value};
                let value = self.context.evaluate(expr, &said.scope)?;
                if matches!(value.as_type(Type::Of(Dimension::Duration)), Some(Value::Quantity(_))) {
                    ReorderBy::Time(self.amount_of("reorder", expr, Bounds(Dimension::Duration, 1_000, DELAY_LIMIT_NS), &said.scope)?)
                } else {
                    ReorderBy::Packets(self.amount_of("reorder", expr, OVERTAKE, &said.scope)?)
                }
            }
        };
        Some(Reorder { ratio_nano, by })
    }

    /// `drop arp`, `drop tcp 80`, `drop udp 5000..5010`.
    fn drop_rule(&mut self, said: &Said<'_>) -> Option<DropRule> {
        let (which, ports) = match said.option.values.as_slice() {
            [which] => (which, None),
            [which, ports] => (which, Some(ports)),
            _ => {
                self.wrong_form(said, "drop tcp 80");
                return None;
            }
        };
        let kind = self.choice_of("drop", which, &said.scope, DROPS)?;
        let Some(expr) = ports else { return Some(DropRule { kind, ports: None }) };
        if !matches!(kind, DropKind::Tcp | DropKind::Udp | DropKind::Sctp) {
            let transport = self.context.words(which.span);
            let help = suggest("tcp", ["tcp", "udp", "sctp"].into_iter())
                .map_or_else(String::new, |_| "ports are of `tcp`, `udp` and `sctp`".into());
            self.context.raise(NetError::NoPort { transport, span: expr.span, help });
            return None;
        }
        Some(DropRule { kind, ports: Some(self.port_range(expr, &said.scope)?) })
    }
}

/// A delay with a mean and what lies around it: of `uniform` half its width, otherwise the standard deviation.
fn around(mean: u64, by: u64, spread: Spread) -> Varying {
    if by == 0 {
        return Varying::Fixed(mean);
    }
    match spread {
        Spread::Uniform => Varying::Uniform(mean - by, mean.saturating_add(by)),
        Spread::Normal => Varying::Normal(mean, by),
        Spread::Pareto => {
            // The Pareto distribution of this mean and deviation has the shape 1 + sqrt(1 + (mean / deviation)^2).
            const ONE: u128 = 1_000_000_000;
            let relation = (u128::from(mean) * ONE / u128::from(by)).min(ONE * ONE);
            let shape = ONE + (ONE * ONE + relation * relation).isqrt();
            let scale = u128::from(mean) * (shape - ONE) / shape;
            Varying::Pareto(u64::try_from(scale).unwrap_or(mean), u64::try_from(shape).unwrap_or(u64::MAX))
        }
    }
}
