//! Flows: from where, to where, which pattern and how much of it. In: declarations. Out: [`Flow`]s, one from each replica.
//! Whether a flow can reach its end is the planner's question.

use super::draft::Draft;
use super::error::ExpandError;
use super::options::{Found, Known};
use super::steps::weight;
use super::things::ThingKind;
use super::topology::position;
use super::value::Value;
use super::{DEFAULT_RECONNECT_NS, FLOW_LIMIT, PATTERN_LIMIT};
use crate::quantity::{BILLION, Dimension};
use crate::scenario::{Destination, Flow, Load, ServiceId};
use crate::source::Span;
use crate::syntax::tree::{Expr, FlowDecl, Target, TargetKind};

/// Connections held at once by one flow: at most so many.
const CONNECTION_LIMIT: i64 = 1_000_000;
/// Connections or transactions of one flow in all: at most so many.
const TOTAL_LIMIT: i64 = 1_000_000_000;
/// Transactions a second: at most 10 million, in 1e-9/s.
const RATE_LIMIT: i64 = 10_000_000 * BILLION - 1;
/// `tcp_info` is read at most this often, in ns.
const SAMPLE_LEAST_NS: i64 = 1_000_000;

pub(crate) const FLOW_OPTIONS: Known = Known {
    what: "a flow",
    once: &["connections", "total", "transactions", "rate", "interval", "duration", "reconnect", "sample"],
    many: &[],
};
pub(crate) const TCP_OPTIONS: Known = Known { what: "`over tcp`", once: &[], many: &[] };

/// What the options of a flow say.
struct Said {
    load: Load,
    reconnect_after_ns: u64,
    sample_tcp_info_ns: Option<u64>,
}

impl Draft<'_, '_> {
    /// Takes a flow in, one from each node it starts at.
    pub(super) fn flow(&mut self, flow: &FlowDecl) {
        if self.context.is_full() {
            return;
        }
        let slot = self.declare(ThingKind::Flow, &flow.name, 1);
        let from = self.nodes_of(&flow.from);
        let to = self.destination(&flow.to);
        if let Some(over) = &flow.over
            && self.is_tcp(&over.transport)
        {
            self.options(&over.options, &TCP_OPTIONS);
        }
        let pattern = self.instance(flow.pattern.as_ref(), flow.name.span);
        let said = self.load(flow);
        let (Some(slot), Some((from, many))) = (slot, from) else { return };
        let hosts = from.iter().all(|node| self.is_host(*node, flow.from.span, "start a flow"));
        let (there, count) = (self.scenario.flows.len() as u64, from.len() as u64);
        if there + count > FLOW_LIMIT {
            self.context.raise(ExpandError::TooLarge { what: "flows", count: there + count, limit: FLOW_LIMIT, span: flow.span });
            return;
        }
        let (Some(to), Some(pattern), Some(said), true) = (to, pattern, said, hosts) else { return };
        self.pattern_bytes = self.pattern_bytes.saturating_add(weight(&pattern.steps).saturating_mul(count));
        if self.pattern_bytes > PATTERN_LIMIT {
            let (what, count) = ("bytes in the patterns of all flows", self.pattern_bytes);
            self.context.raise(ExpandError::TooLarge { what, count, limit: PATTERN_LIMIT, span: flow.span });
            return;
        }
        let first = position(self.scenario.flows.len());
        if many {
            self.define_many(&slot, first, &(1..=i64::try_from(count).unwrap_or(i64::MAX)).collect::<Vec<_>>());
        } else {
            self.define(&slot, first);
        }
        for (index, node) in from.into_iter().enumerate() {
            let own = slot.indices.as_ref().and_then(|indices| indices.first().copied());
            let name = slot.name(if many { i64::try_from(index + 1).ok() } else { own });
            self.scenario.flows.push(Flow {
                name,
                doc: flow.doc.join("\n"),
                from: node,
                to,
                pattern: pattern.clone(),
                load: said.load,
                reconnect_after_ns: said.reconnect_after_ns,
                sample_tcp_info_ns: said.sample_tcp_info_ns,
                span: flow.span,
            });
        }
    }

    fn destination(&mut self, target: &Target) -> Option<Destination> {
        let port = match &target.port {
            Some(expr) => Some(self.port(expr)?),
            None => None,
        };
        let path = match &target.kind {
            TargetKind::Address(expr) => return self.address_destination(expr, port, target.span),
            TargetKind::Name(path) => path,
        };
        let name = path.parts.first()?.name.text.as_str();
        match self.thing_kind(&path.parts) {
            Some(ThingKind::Service) => {
                let found = self.things_of(&path.parts, &[ThingKind::Service], "node or service")?;
                return self.service_destination(ServiceId(*found.ids.first()?), target, name);
            }
            Some(_) => return Some(Destination::Node(self.host_of(path, "be the end of a flow")?, port)),
            None => {}
        }
        match self.scope.find(self.context, name).map(|b| (b.value.clone(), b.span)) {
            Some((Some(Value::Address(address)), _)) => match port {
                Some(port) => Some(Destination::Address(address, port)),
                None => {
                    self.context.raise(ExpandError::MissingPort { target: name.into(), span: target.span });
                    None
                }
            },
            Some((None, _)) => None,
            Some((Some(other), _)) => {
                self.context.wrong_type("an address, a node or a service", &other, target.span);
                None
            }
            None => {
                self.things_of(&path.parts, &[ThingKind::Node, ThingKind::Service], "node or service");
                None
            }
        }
    }

    fn address_destination(&mut self, expr: &Expr, port: Option<u16>, span: Span) -> Option<Destination> {
        match self.context.evaluate(expr, &self.scope)? {
            Value::Address(address) => match port {
                Some(port) => Some(Destination::Address(address, port)),
                None => {
                    let target = if address.is_ipv4() { address.to_string() } else { format!("[{address}]") };
                    self.context.raise(ExpandError::MissingPort { target, span });
                    None
                }
            },
            other => {
                self.context.wrong_type("an address", &other, expr.span);
                None
            }
        }
    }

    fn service_destination(&mut self, id: ServiceId, target: &Target, name: &str) -> Option<Destination> {
        let declared = self.scenario.services[id.index()].span;
        if let Some(port) = &target.port {
            self.context.raise(ExpandError::PortOfService { name: name.into(), span: port.span, declared });
            return None;
        }
        Some(Destination::Service(id))
    }

    /// What the options say. `None`: one of them is wrong, which was reported.
    fn load(&mut self, flow: &FlowDecl) -> Option<Said> {
        let found = self.options(&flow.options, &FLOW_OPTIONS);
        let before = self.context.problems.len();
        let connections = self.count(&found, "connections", CONNECTION_LIMIT);
        let total = self.count(&found, "total", TOTAL_LIMIT);
        let transactions = self.count(&found, "transactions", TOTAL_LIMIT);
        let rate = found.get("rate").and_then(|option| {
            let value = self.single(option.option, &[], "rate 400/s")?;
            self.context.bounded("`rate`", value, Dimension::Rate, (1, RATE_LIMIT), &self.scope)
        });
        let interval = self.lasting(&found, "interval", &[], "interval 1s", 0);
        let duration = self.lasting(&found, "duration", &[], "duration 10s", 1);
        let reconnect = self.lasting(&found, "reconnect", &["after"], "reconnect after 100ms", 0);
        let sample = self.lasting(&found, "sample", &["tcp_info", "every"], "sample tcp_info every 100ms", SAMPLE_LEAST_NS);
        self.conflicts(&found, connections, total);
        if self.context.problems.len() > before {
            return None;
        }
        let load = Load {
            connections: connections.unwrap_or(1),
            total,
            transactions: transactions.or(total.map(|_| 1)),
            rate_nano: rate,
            interval_ns: interval.unwrap_or(0),
            duration_ns: duration,
        };
        Some(Said { load, reconnect_after_ns: reconnect.unwrap_or(DEFAULT_RECONNECT_NS), sample_tcp_info_ns: sample })
    }

    fn count(&mut self, found: &Found<'_>, name: &str, most: i64) -> Option<u64> {
        let option = found.get(name)?;
        let value = self.single(option.option, &[], &format!("{name} 200"))?;
        self.context.bounded(&format!("`{name}`"), value, Dimension::Count, (1, most), &self.scope)
    }

    fn lasting(&mut self, found: &Found<'_>, name: &str, words: &[&str], form: &str, least: i64) -> Option<u64> {
        let option = found.get(name)?;
        let value = self.single(option.option, words, form)?;
        self.context.duration(&format!("`{name}`"), value, least, &self.scope)
    }

    /// Reports options that exclude each other.
    fn conflicts(&mut self, found: &Found<'_>, connections: Option<u64>, total: Option<u64>) {
        if let (Some(rate), Some(interval)) = (found.get("rate"), found.get("interval")) {
            let message = "a flow with a `rate` starts by the clock and can't pause for an `interval` too".to_owned();
            let help = "keep `rate` for an open loop or `interval` for a closed one".to_owned();
            self.context.raise(ExpandError::OptionConflict { message, span: interval.span(), other: rate.span(), help });
        }
        if let (Some(held), Some(all)) = (connections, total)
            && let (true, Some(a), Some(b)) = (held > all, found.get("connections"), found.get("total"))
        {
            let message = format!("{held} connections at once are more than {all} in all");
            let help = "make `total` at least as large as `connections`".to_owned();
            self.context.raise(ExpandError::OptionConflict { message, span: a.span(), other: b.span(), help });
        }
    }
}
