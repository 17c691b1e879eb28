//! Flows: from where, to where, over what, which pattern and how much of it. In: declarations. Out: [`Flow`]s, one from each replica.
//! Whether a flow can reach its end is the planner's question.

use super::draft::Draft;
use super::error::ExpandError;
use super::names::Point;
use super::net_error::NetError;
use super::options::{Found, Known, Said};
use super::steps::weight;
use super::talk::User;
use super::things::ThingKind;
use super::topology::position;
use super::transport_options::FLOW_ROWS;
use super::transports::{Carrier, wire_of};
use super::value::Value;
use super::{FLOW_LIMIT, PATTERN_LIMIT, frames};
use crate::scenario::flow::{Tool, ToolKind};
use crate::scenario::pattern::Pattern;
use crate::scenario::topology::Prefix;
use crate::scenario::transport::{Http, Transport, TransportKind, Wire};
use crate::scenario::{Destination, Flow};
use crate::source::Span;
use crate::syntax::tree::FlowDecl;

/// Arguments of a tool: at most so many words.
const ARGUMENT_LIMIT: usize = 1_000;
/// Prefixes a flow starts from: at most so many.
const SOURCE_LIMIT: usize = 10_000;

/// Every option of a flow, of whatever transport.
pub(crate) const FLOW_OPTIONS: Known = Known {
    what: "a flow",
    once: &[
        "connections",
        "total",
        "transactions",
        "rate",
        "opens",
        "bandwidth",
        "arrivals",
        "burst",
        "phase",
        "interval",
        "duration",
        "size",
        "source",
        "ports",
        "reconnect",
        "timeout",
        "sample",
        "peer",
        "frame",
        "arguments",
    ],
    many: &[],
};

impl<'a> Draft<'_, 'a> {
    /// Takes a flow in, one from each node it starts at.
    pub(super) fn flow(&mut self, flow: &'a FlowDecl) {
        if self.context.is_full() {
            return;
        }
        let flow = &*self.decided_flow(flow);
        let slot = self.declare(ThingKind::Flow, &flow.name, 1);
        let before = self.context.errors;
        let from = self.flow_start(flow);
        let carrier = self.carrier(flow);
        let made = carrier.and_then(|carrier| self.one_flow(flow, carrier, from.as_ref()));
        let (Some(slot), Some(point), Some(made)) = (slot, from, made) else { return };
        if self.context.errors > before {
            return;
        }
        let (there, count) = (self.scenario.flows.len() as u64, point.nodes.len() as u64);
        if there + count > FLOW_LIMIT {
            self.context.raise(ExpandError::TooLarge { what: "flows", count: there + count, limit: FLOW_LIMIT, span: flow.span });
            return;
        }
        let bytes = made.pattern.as_ref().map_or(0, |pattern| weight(&pattern.steps));
        self.pattern_bytes = self.pattern_bytes.saturating_add(bytes.saturating_mul(count));
        if self.pattern_bytes > PATTERN_LIMIT {
            let (what, count) = ("bytes in the patterns of all flows", self.pattern_bytes);
            self.context.raise(ExpandError::TooLarge { what, count, limit: PATTERN_LIMIT, span: flow.span });
            return;
        }
        let first = position(self.scenario.flows.len());
        if point.many {
            self.define_many(&slot, first, &(1..=i64::try_from(count).unwrap_or(i64::MAX)).collect::<Vec<_>>());
        } else {
            self.define(&slot, first);
        }
        let own = slot.indices.as_ref().and_then(|indices| indices.first().copied());
        for (index, node) in point.nodes.iter().enumerate() {
            let name = slot.name(if point.many { i64::try_from(index + 1).ok() } else { own });
            self.scenario.flows.push(Flow { name, from: *node, ..made.clone() });
        }
    }

    /// Where a flow starts.
    fn flow_start(&mut self, flow: &FlowDecl) -> Option<Point> {
        let point = self.point_of(&flow.from)?;
        for node in &point.nodes {
            if !self.is_host(*node, flow.from.span, "start a flow") {
                return None;
            }
            if let Some(interface) = &point.interface {
                self.interface(*node, interface)?;
            }
        }
        Some(point)
    }

    /// The flow but for its name and node.
    fn one_flow(&mut self, flow: &FlowDecl, carrier: Carrier, from: Option<&Point>) -> Option<Flow> {
        let to = self.destination(&flow.to, carrier);
        let found = self.options_beside(&flow.options, &FLOW_OPTIONS, |option| carrier.place_in_over(option));
        self.check_rows(&found, FLOW_ROWS, carrier);
        let load = self.load(&found, carrier);
        let frame = self.described(flow, &found, carrier);
        let transport = self.transport(flow, carrier, frame.clone());
        if let (Transport::Frames(described), Some(frame)) = (&transport, frame) {
            match described.watch {
                true => self.check_watch(flow, &found, &frame, to.as_ref()),
                false => self.check_leaving(flow, &frame, from, to.as_ref()),
            }
        }
        if let Some(to) = &to {
            self.check_service(to, &transport, carrier, flow.to.span);
        }
        self.size_of_pattern(&found, carrier, wire_of(&transport) == Wire::Own);
        self.size_of_ctraffic(&found, wire_of(&transport), load.size.as_ref());
        let tool = carrier.tool.map(|kind| Tool { kind, arguments: self.arguments(&found) });
        self.check_tool(flow, carrier, &found, from);
        let peer_none = found.get("peer").and_then(|said| self.choice(said, &[("none", true)])).unwrap_or(false);
        let user = if peer_none || to.as_ref().is_some_and(|to| self.is_strange(to)) { User::Alone } else { User::Flow };
        let pattern = self.flow_pattern(flow, to.as_ref(), user, carrier, &transport);
        let (reconnect, timeouts) = (self.reconnect(&found), self.timeouts(&found, carrier));
        let source = found.get("source").map(|said| self.sources(said)).unwrap_or_default();
        let ports = found.get("ports").and_then(|said| {
            let value = self.one(said, "ports 20000..30000")?;
            self.port_range(value, &said.scope)
        });
        self.check_family(to.as_ref(), &source, &found);
        Some(Flow {
            name: String::new(),
            doc: flow.doc.join("\n"),
            from: *from?.nodes.first()?,
            from_interface: from?.interface.as_ref().map(|name| name.text.clone()),
            to: to?,
            peer_none,
            transport,
            tool,
            pattern: pattern?,
            load,
            reconnect,
            timeouts,
            source,
            ports,
            sample_tcp_info_ns: self.sample_tcp_info(&found),
            span: flow.span,
        })
    }

    /// What answers there is certainly nothing that this program adds: it gives peers to nodes and interfaces, and answers at an address only
    /// where a service does.
    fn is_strange(&self, to: &Destination) -> bool {
        match to {
            Destination::Process(..) | Destination::HostName(..) => true,
            Destination::Address(_, port) => port.is_some_and(|port| self.scenario.services.iter().all(|service| service.port != port)),
            Destination::Node(..) | Destination::Interface(..) | Destination::Service(_) => false,
        }
    }

    /// The frame of a flow of frames.
    fn described(&mut self, flow: &FlowDecl, found: &Found<'_>, carrier: Carrier) -> Option<frames::Described> {
        if carrier.kind != TransportKind::Frames {
            return None;
        }
        let Some(said) = found.get("frame") else {
            let what = format!("the flow `{}`", flow.name.name.text);
            let (missing, form) = ("sends", "frame { ipv4 { }  udp { destination 7 } }");
            self.context.raise(ExpandError::Incomplete { what, missing, span: flow.name.span, form });
            return None;
        };
        Some(self.frame(said))
    }

    /// The pattern, where one is spoken. The inner `None`: none is.
    fn flow_pattern(
        &mut self,
        flow: &FlowDecl,
        to: Option<&Destination>,
        user: User,
        carrier: Carrier,
        transport: &Transport,
    ) -> Option<Option<Pattern>> {
        let asks = matches!(transport, Transport::Http { http: Http { request: Some(_), .. }, .. });
        let what = match (carrier.tool, carrier.kind) {
            (Some(tool), _) => Some(format!("a flow made by {}", tool.word())),
            (_, TransportKind::Icmp) => Some("a flow over icmp".to_owned()),
            (_, TransportKind::Frames) => Some("a flow over frames".to_owned()),
            _ if wire_of(transport) == Wire::Ctraffic => Some("ctraffic's wire".to_owned()),
            _ => None,
        };
        let Some(what) = what else {
            if asks || (carrier.kind == TransportKind::Http && flow.pattern.is_none()) {
                return Some(None);
            }
            // Who says nothing speaks as the service does: two ends that differ would understand each other by chance only.
            if let (None, Some(Destination::Service(id))) = (&flow.pattern, to)
                && let Some(served) = &self.scenario.services[id.index()].pattern
            {
                let spoken = served.clone();
                return Some(Some(self.context.spoken_by_both(spoken, flow.name.span)));
            }
            return self.instance(flow.pattern.as_ref(), flow.name.span, user).map(Some);
        };
        if let Some(pattern) = &flow.pattern {
            self.context.raise(NetError::NoPattern { what, span: pattern.span, said: carrier.said });
            return None;
        }
        Some(None)
    }

    /// `arguments "--parallel 4"`: each text is taken apart at its blanks.
    fn arguments(&mut self, found: &Found<'_>) -> Vec<String> {
        let Some(said) = found.get("arguments") else { return Vec::new() };
        let texts = self.texts(said, "arguments \"--parallel 4\"").unwrap_or_default();
        let words: Vec<String> = texts.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect();
        if words.len() > ARGUMENT_LIMIT {
            let (count, limit, span) = (words.len() as u64, ARGUMENT_LIMIT as u64, said.option.span);
            self.context.raise(ExpandError::TooLarge { what: "arguments", count, limit, span });
            return Vec::new();
        }
        words
    }

    /// Reports what real tools can't do.
    fn check_tool(&mut self, flow: &FlowDecl, carrier: Carrier, found: &Found<'_>, from: Option<&Point>) {
        let Some(tool) = carrier.tool else { return };
        if let (Some(interface), true) = (from.and_then(|from| from.interface.as_ref()), tool != ToolKind::Ping) {
            let (option, needs) = (self.context.words(flow.from.span), "a flow of the program itself or of ping".to_owned());
            let help = format!("write `from` and the node alone: {} starts at the node", tool.word());
            self.context.raise(NetError::OptionNeeds { option, needs, span: interface.span, help });
        }
        if let (Some(said), ToolKind::Iperf3 | ToolKind::Iperf | ToolKind::Netperf) = (found.get("size"), tool)
            && !said.option.values.iter().all(|value| matches!(self.context.evaluate(value, &said.scope), None | Some(Value::Quantity(_))))
        {
            let (expected, words) = ("one size".to_owned(), "several".to_owned());
            let help = Some(format!("{} sends messages of one size", tool.word()));
            self.context.raise(ExpandError::WrongType { expected, found: words, span: said.option.span, help });
        }
    }

    /// `source 10.1.0.0/16`, `source 10.1.0.1, 10.1.0.2`.
    fn sources(&mut self, said: &Said<'_>) -> Vec<Prefix> {
        let form = "source 10.1.0.0/16";
        let values = self.each_value(said, form).unwrap_or_default();
        let mut made = Vec::new();
        for value in values.iter().take(SOURCE_LIMIT) {
            let found = self.context.evaluate(value, &said.scope);
            let all = match found {
                Some(Value::List(all)) => all,
                Some(one) => vec![one],
                None => continue,
            };
            for one in all {
                match one {
                    Value::Address(address) => made.push(Prefix { address, length: if address.is_ipv4() { 32 } else { 128 } }),
                    Value::Prefix(prefix) => made.push(prefix),
                    other => self.context.wrong_type("an address or a prefix", &other, value.span),
                }
            }
        }
        if values.len().max(made.len()) > SOURCE_LIMIT {
            let (count, limit, span) = (values.len().max(made.len()) as u64, SOURCE_LIMIT as u64, said.option.span);
            self.context.raise(ExpandError::TooLarge { what: "sources of one flow", count, limit, span });
        }
        made
    }

    /// Reports a source of another family than the address the flow goes to.
    fn check_family(&mut self, to: Option<&Destination>, source: &[Prefix], found: &Found<'_>) {
        let (Some(Destination::Address(address, _)), Some(said)) = (to, found.get("source")) else { return };
        if !source.is_empty() && source.iter().all(|prefix| prefix.address.is_ipv4() != address.is_ipv4()) {
            let (span, other): (Span, Span) = (said.option.span, said.span());
            self.context.raise(ExpandError::MixedFamilies { span, other });
        }
    }
}
