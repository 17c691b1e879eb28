//! How much a flow sends, and when. In: options of a flow. Out: a [`Load`] and what follows when connections break. Sends nothing.

use super::draft::Draft;
use super::error::ExpandError;
use super::net_error::NetError;
use super::options::{Found, Known, Said};
use super::reading::{Bounds, DAY_NS, WHOLE};
use super::transports::Carrier;
use crate::quantity::{BILLION, Dimension, Quantity};
use crate::scenario::flow::{Arrivals, Change, Load, Phase, Reconnect, Timeouts};
use crate::scenario::pattern::Varying;
use crate::scenario::transport::{TransportKind, Wire};
use crate::syntax::tree::ExprKind;

/// Connections held at once by one flow: at most so many.
const CONNECTION_LIMIT: i64 = 1_000_000;
/// Connections or transactions of one flow in all: at most so many.
const TOTAL_LIMIT: i64 = 1_000_000_000;
/// Starts a second: at most 10 million, in 1e-9/s.
const RATE: Bounds = Bounds(Dimension::Rate, 1, 10_000_000 * BILLION - 1);
/// Payload of one flow, bit/s.
const BANDWIDTH: Bounds = Bounds(Dimension::Bandwidth, 1, 400_000_000_000);
/// Starts of one burst: at most so many.
const BURST_LIMIT: i64 = 100_000;
/// Steps of a rate: at most so many.
const STEP_LIMIT: usize = 10_000;
/// A message of ctraffic's wire holds the name of who answers, bytes.
const CTRAFFIC_LEAST: u64 = 64;
/// Payload of one item, bytes.
const SIZE: Bounds = Bounds(Dimension::Size, 0, 1 << 20);
/// Payload of one echo: what one IPv4 packet holds.
const ECHO_SIZE: Bounds = Bounds(Dimension::Size, 0, 65_507);
/// `tcp_info` is read at most this often, in ns.
const SAMPLE_LEAST_NS: i64 = 1_000_000;
/// How long is waited for an answer.
const WAIT: Bounds = Bounds(Dimension::Duration, 1_000, DAY_NS);

/// The options of `reconnect`.
pub(crate) const RECONNECT_OPTIONS: Known = Known { what: "`reconnect`", once: &["after", "growth", "most", "jitter", "limit"], many: &[] };
/// The options of `timeout`.
pub(crate) const TIMEOUT_OPTIONS: Known = Known { what: "`timeout`", once: &["connect", "response", "idle"], many: &[] };
/// The words of `arrivals`.
pub(crate) const ARRIVALS: &[(&str, Arrivals)] = &[("constant", Arrivals::Constant), ("poisson", Arrivals::Poisson)];
/// The words of `phase`.
pub(crate) const PHASES: &[(&str, Phase)] = &[("even", Phase::Even), ("random", Phase::Random)];

impl Draft<'_, '_> {
    /// What the options of a flow say of its load.
    pub(super) fn load(&mut self, found: &Found<'_>, carrier: Carrier) -> Load {
        let count = |draft: &mut Self, name: &str, most: i64| {
            found.get(name).and_then(|said| draft.amount(said, Bounds(Dimension::Count, 1, most), &format!("{name} 200")))
        };
        let connections = count(self, "connections", CONNECTION_LIMIT);
        let total = count(self, "total", TOTAL_LIMIT);
        let transactions = count(self, "transactions", TOTAL_LIMIT);
        let burst = count(self, "burst", BURST_LIMIT).unwrap_or(1);
        let (rate_nano, rate_change) = self.paced(found, "rate", "400/s", RATE);
        let (opens_nano, opens_change) = self.paced(found, "opens", "100/s", RATE);
        let (bandwidth_bps, bandwidth_change) = self.paced(found, "bandwidth", "80Mbit/s", BANDWIDTH);
        let span = |draft: &mut Self, name: &str, least: i64| {
            found.get(name).and_then(|said| draft.amount(said, Bounds(Dimension::Duration, least, DAY_NS), &format!("{name} 10s")))
        };
        let opened = found.get("opens").is_some();
        let echo = carrier.kind == TransportKind::Icmp;
        let once = carrier.kind.has_connections() && (total.is_some() || opened);
        let load = Load {
            connections: connections.unwrap_or(if opened { CONNECTION_LIMIT.unsigned_abs() } else { 1 }),
            total,
            transactions: transactions.or(once.then_some(1)),
            rate_nano,
            rate_change,
            opens_nano,
            opens_change,
            bandwidth_bps,
            bandwidth_change,
            arrivals: found.get("arrivals").and_then(|said| self.choice(said, ARRIVALS)).unwrap_or_default(),
            burst,
            phase: found.get("phase").and_then(|said| self.choice(said, PHASES)).unwrap_or_default(),
            interval_ns: span(self, "interval", 0).unwrap_or(0),
            duration_ns: span(self, "duration", 1),
            size: found.get("size").and_then(|said| self.varying(said, if echo { ECHO_SIZE } else { SIZE }, "size 56B")),
        };
        self.load_conflicts(found, connections, total);
        self.load_needs(found);
        self.phase_needs(found, load.phase);
        load
    }

    /// `rate 400/s`, `rate 10/s..100/s within 5s`, `rate [10/s, 50/s] every 5s`.
    fn paced(&mut self, found: &Found<'_>, name: &str, example: &str, bounds: Bounds) -> (Option<u64>, Option<Change>) {
        let Some(said) = found.get(name) else { return (None, None) };
        let made = match said.option.values.as_slice() {
            [value] if !matches!(super::evaluate::bare(value).kind, ExprKind::Range(..) | ExprKind::List(_)) => {
                self.amount(said, bounds, &format!("{name} {example}")).map(|value| (value, None))
            }
            [_, word, _] if self.word_of(word, &said.scope).as_deref() == Some("within") => self.ramp(said, bounds),
            [_, word, _] if self.word_of(word, &said.scope).as_deref() == Some("every") => self.steps(said, bounds),
            _ => {
                let low = example;
                self.wrong_form(said, &format!("{name} {low}`, `{name} {low}..{low} within 5s` or `{name} [{low}, {low}] every 5s"));
                None
            }
        };
        made.map_or((None, None), |(start, change)| (Some(start), change))
    }

    fn ramp(&mut self, said: &Said<'_>, bounds: Bounds) -> Option<(u64, Option<Change>)> {
        let [range, _, time] = said.option.values.as_slice() else { return None };
        let ExprKind::Range(from, to) = &super::evaluate::bare(range).kind else {
            let name = said.option.name.text.clone();
            self.wrong_form(said, &format!("{name} A..B within 5s"));
            return None;
        };
        let name = &said.option.name.text;
        let (from, to) = (self.amount_of(name, from, bounds, &said.scope), self.amount_of(name, to, bounds, &said.scope));
        let time = self.amount_of(name, time, Bounds(Dimension::Duration, 1_000_000, DAY_NS), &said.scope);
        Some((from?, Some(Change::Ramp { to: to?, within_ns: time? })))
    }

    fn steps(&mut self, said: &Said<'_>, bounds: Bounds) -> Option<(u64, Option<Change>)> {
        let [list, _, time] = said.option.values.as_slice() else { return None };
        let name = &said.option.name.text;
        let ExprKind::List(items) = &super::evaluate::bare(list).kind else {
            self.wrong_form(said, &format!("{name} [A, B, C] every 5s"));
            return None;
        };
        if items.len() > STEP_LIMIT {
            let (count, limit) = (items.len() as u64, STEP_LIMIT as u64);
            self.context.raise(ExpandError::TooLarge { what: "steps", count, limit, span: list.span });
            return None;
        }
        let values: Vec<Option<u64>> = items.iter().map(|item| self.amount_of(name, item, bounds, &said.scope)).collect();
        let time = self.amount_of(name, time, Bounds(Dimension::Duration, 1_000_000, DAY_NS), &said.scope);
        let values: Vec<u64> = values.into_iter().collect::<Option<_>>()?;
        let every_ns = time?;
        match values.split_first() {
            Some((first, then)) => Some((*first, (!then.is_empty()).then(|| Change::Steps { then: then.to_vec(), every_ns }))),
            None => {
                self.wrong_form(said, &format!("{name} [A, B, C] every 5s"));
                None
            }
        }
    }

    /// Reports options that exclude each other.
    fn load_conflicts(&mut self, found: &Found<'_>, connections: Option<u64>, total: Option<u64>) {
        const CLASHES: &[(&str, &str, &str, &str)] = &[
            (
                "interval",
                "rate",
                "a flow with a `rate` starts by the clock and can't pause for an `interval` too",
                "keep `rate` for an open loop or `interval` for a closed one",
            ),
            (
                "interval",
                "opens",
                "a flow with `opens` starts connections by the clock and can't pause for an `interval` too",
                "keep `opens` for an open loop or `interval` for a closed one",
            ),
            (
                "bandwidth",
                "rate",
                "`rate` and `bandwidth` both say how fast the flow sends",
                "keep `rate` for items a second or `bandwidth` for bits a second",
            ),
            (
                "opens",
                "rate",
                "`opens` starts connections by the clock and `rate` transactions",
                "keep `opens` for connections a second or `rate` for transactions a second",
            ),
        ];
        for (one, two, message, help) in CLASHES {
            if let (Some(a), Some(b)) = (found.get(one), found.get(two)) {
                let (message, help) = ((*message).to_owned(), (*help).to_owned());
                self.context.raise(ExpandError::OptionConflict { message, span: a.span(), other: b.span(), help });
            }
        }
        let reconnects = found.get("reconnect").filter(|said| !self.is_off(said));
        if let (Some(a), Some(b)) = (reconnects, found.get("opens")) {
            let message = "a flow with `opens` starts connections by the clock and can't replace a lost one sooner".to_owned();
            let help = "leave `reconnect` out: the clock opens the next one".to_owned();
            self.context.raise(ExpandError::OptionConflict { message, span: a.span(), other: b.span(), help });
        }
        if let (Some(held), Some(all)) = (connections, total)
            && let (true, Some(a), Some(b)) = (held > all && !self.context.sampling, found.get("connections"), found.get("total"))
        {
            let message = format!("{held} connections at once are more than {all} in all");
            let help = "make `total` at least as large as `connections`".to_owned();
            self.context.raise(ExpandError::OptionConflict { message, span: a.span(), other: b.span(), help });
        }
    }

    /// Reports options that mean nothing without others.
    fn load_needs(&mut self, found: &Found<'_>) {
        let open = ["rate", "opens", "bandwidth"].iter().any(|name| found.get(name).is_some());
        for name in ["arrivals", "burst", "phase"] {
            if let (Some(said), false) = (found.get(name), open) {
                let (option, needs) = (name.to_owned(), "a `rate`".to_owned());
                let help = "say how often things start: `rate 100/s`".to_owned();
                self.context.raise(NetError::OptionNeeds { option, needs, span: said.span(), help });
            }
        }
    }

    /// Reports clocks of connections that have no share of a rate: `opens` alone starts no transactions, and how many connections there are at once
    /// must be known.
    fn phase_needs(&mut self, found: &Found<'_>, phase: Phase) {
        let (Some(said), Some(_), Phase::Random) = (found.get("phase"), found.get("opens"), phase) else { return };
        let (needs, help) = match (found.get("bandwidth"), found.get("connections")) {
            (None, _) => ("a `bandwidth` beside `opens`", "leave it out: connections that `opens` starts have one clock"),
            (Some(_), None) => ("`connections` beside `opens`", "say of how many at once each has its share: `connections 20`"),
            (Some(_), Some(_)) => return,
        };
        let (option, needs) = ("phase".to_owned(), needs.to_owned());
        self.context.raise(NetError::OptionNeeds { option, needs, span: said.span(), help: help.to_owned() });
    }

    /// `OPTION off`.
    fn is_off(&mut self, said: &Said<'_>) -> bool {
        let [word] = said.option.values.as_slice() else { return false };
        said.option.block.is_empty() && self.word_of(word, &said.scope).as_deref() == Some("off")
    }

    /// `reconnect after 100ms`, `reconnect off`, `reconnect { after 100ms  growth 2 }`.
    pub(super) fn reconnect(&mut self, found: &Found<'_>) -> Option<Reconnect> {
        let default = Reconnect::default();
        let Some(said) = found.get("reconnect") else { return Some(default) };
        let time = Bounds(Dimension::Duration, 0, DAY_NS);
        match said.option.values.as_slice() {
            [] => {}
            [_] if self.is_off(said) => return None,
            [word, pause] if said.option.block.is_empty() && self.word_of(word, &said.scope).as_deref() == Some("after") => {
                let after_ns = self.amount_of("reconnect", pause, time, &said.scope).unwrap_or(default.after_ns);
                return Some(Reconnect { after_ns, most_ns: default.most_ns.max(after_ns), ..default });
            }
            _ => {
                self.wrong_form(said, "reconnect after 100ms`, `reconnect off` or `reconnect { after 100ms  growth 2  most 5s }");
                return Some(default);
            }
        }
        let inner = self.within_scope(&said.scope, |draft| draft.options(&said.option.block, &RECONNECT_OPTIONS));
        let after_ns = inner.get("after").and_then(|said| self.amount(said, time, "after 100ms")).unwrap_or(default.after_ns);
        let growth = Bounds(Dimension::Number, BILLION, 100 * BILLION);
        let growth_nano = inner.get("growth").and_then(|said| self.amount(said, growth, "growth 2")).unwrap_or(default.growth_nano);
        let most_ns = inner.get("most").and_then(|said| self.amount(said, time, "most 5s"));
        let share = Bounds(Dimension::Ratio, 0, WHOLE);
        let jitter_nano = inner.get("jitter").and_then(|said| self.amount(said, share, "jitter 10%")).unwrap_or(0);
        let limit = inner.get("limit").and_then(|said| self.amount(said, Bounds(Dimension::Count, 1, TOTAL_LIMIT), "limit 10"));
        if let (Some(_), Some(said)) = (most_ns.filter(|most| *most < after_ns && !self.context.sampling), inner.get("most")) {
            let message = "the longest pause is shorter than the first".to_owned();
            let other = inner.get("after").map_or(said.span(), Said::span);
            let help = format!(
                "make `most` at least as long as `after`, which is {}",
                crate::quantity::Quantity::new(Dimension::Duration, i64::try_from(after_ns).unwrap_or(i64::MAX))
            );
            self.context.raise(ExpandError::OptionConflict { message, span: said.span(), other, help });
        }
        Some(Reconnect { after_ns, growth_nano, most_ns: most_ns.unwrap_or(default.most_ns).max(after_ns), jitter_nano, limit })
    }

    /// `timeout { connect 2s  response 1s  idle 30s }`.
    pub(super) fn timeouts(&mut self, found: &Found<'_>, carrier: Carrier) -> Timeouts {
        let Some(said) = found.get("timeout") else { return Timeouts::default() };
        self.only_block(said, "timeout { connect 2s  response 1s }");
        let inner = self.within_scope(&said.scope, |draft| draft.options(&said.option.block, &TIMEOUT_OPTIONS));
        if !carrier.kind.has_connections() {
            for name in ["connect", "idle"] {
                let Some(said) = inner.get(name) else { continue };
                let have = ["tcp", "tls", "http", "quic", "sctp", "mptcp"];
                self.option_of_transport(said, carrier.word(), carrier.said, &have);
            }
        }
        let wait = |draft: &mut Self, name: &str| inner.get(name).and_then(|said| draft.amount(said, WAIT, &format!("{name} 2s")));
        Timeouts { connect_ns: wait(self, "connect"), response_ns: wait(self, "response"), idle_ns: wait(self, "idle") }
    }

    /// `sample tcp_info every 100ms`.
    pub(super) fn sample_tcp_info(&mut self, found: &Found<'_>) -> Option<u64> {
        let said = found.get("sample")?;
        match said.option.values.as_slice() {
            [what, every, period]
                if self.word_of(what, &said.scope).as_deref() == Some("tcp_info")
                    && self.word_of(every, &said.scope).as_deref() == Some("every") =>
            {
                self.amount_of("sample", period, Bounds(Dimension::Duration, SAMPLE_LEAST_NS, DAY_NS), &said.scope)
            }
            _ => {
                self.wrong_form(said, "sample tcp_info every 100ms");
                None
            }
        }
    }

    /// Reports messages that a server of ctraffic's wire would not answer.
    pub(super) fn size_of_ctraffic(&mut self, found: &Found<'_>, wire: Wire, size: Option<&Varying>) {
        let least = match size {
            Some(size @ (Varying::Fixed(_) | Varying::Uniform(..) | Varying::Choice(_))) => size.least(),
            _ => return,
        };
        if let (Some(said), true) = (found.get("size"), wire == Wire::Ctraffic && least < CTRAFFIC_LEAST) {
            let shown = |bytes: u64| Quantity::new(Dimension::Size, i64::try_from(bytes).unwrap_or(i64::MAX)).to_string();
            let (value, least, most) = (shown(least), shown(CTRAFFIC_LEAST), shown(SIZE.2.unsigned_abs()));
            self.context.raise(ExpandError::OutOfRange {
                what: "`size` over ctraffic's wire".to_owned(),
                value,
                least,
                most,
                span: said.span(),
            });
        }
    }

    /// Reports sizes said where the pattern says them.
    pub(super) fn size_of_pattern(&mut self, found: &Found<'_>, carrier: Carrier, own_wire: bool) {
        let Some(said) = found.get("size") else { return };
        if carrier.tool.is_none() && own_wire && matches!(carrier.kind, TransportKind::Tcp | TransportKind::Udp | TransportKind::Sctp) {
            let (option, needs) = ("size".to_owned(), "a tool or `wire ctraffic`".to_owned());
            let help = "say sizes in the pattern: `pattern sym(1KiB)`".to_owned();
            self.context.raise(NetError::OptionNeeds { option, needs, span: said.span(), help });
        }
    }
}
