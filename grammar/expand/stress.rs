//! Random mixes of streams. In: declarations. Out: [`Stress`]es. Chooses nothing: that is the run's, from its seed.

use super::draft::Draft;
use super::error::ExpandError;
use super::net_error::NetError;
use super::options::{Found, Known};
use super::reading::{Bounds, DAY_NS};
use super::things::ThingKind;
use super::topology::position;
use super::transport_options::{TOOLS, listed, of_tool};
use crate::quantity::{BILLION, Dimension};
use crate::scenario::pattern::Varying;
use crate::scenario::stress::{Stress, StressTransport};
use crate::scenario::transport::TransportKind;
use crate::scenario::{Destination, flow::ToolKind};
use crate::syntax::tree::{StressDecl, TargetKind};

/// Stresses of one scenario: at most so many.
const STRESS_LIMIT: u64 = 1_000;
/// Streams of one stress alive at once.
const STREAMS: Bounds = Bounds(Dimension::Count, 1, 10_000);
/// The options of a stress.
pub(crate) const STRESS_OPTIONS: Known =
    Known { what: "a stress", once: &["streams", "total", "duration", "size", "rate", "transports", "tools", "ports"], many: &[] };
/// The words of `transports`.
pub(crate) const STRESS_TRANSPORTS: &[(&str, StressTransport)] =
    &[("tcp", StressTransport::Tcp), ("udp", StressTransport::Udp), ("icmp", StressTransport::Icmp), ("sctp", StressTransport::Sctp)];

impl Draft<'_, '_> {
    /// Takes a stress in.
    pub(super) fn stress(&mut self, stress: &StressDecl) {
        let slot = self.declare(ThingKind::Stress, &stress.name, 1);
        let before = self.context.errors;
        let from = self.placed_on(std::slice::from_ref(&stress.from), "start a stream");
        let to = self.stress_target(stress);
        let found = self.options(&stress.options, &STRESS_OPTIONS);
        let made = self.mix(stress, &found);
        let (Some(slot), Some(from), Some(to)) = (slot, from, to) else { return };
        if self.context.errors > before {
            return;
        }
        let there = self.scenario.stresses.len() as u64;
        if there >= STRESS_LIMIT {
            let (count, limit) = (there + 1, STRESS_LIMIT);
            self.context.raise(ExpandError::TooLarge { what: "stresses", count, limit, span: stress.span });
            return;
        }
        self.define(&slot, position(self.scenario.stresses.len()));
        let name = slot.name(slot.indices.as_ref().and_then(|indices| indices.first().copied()));
        self.scenario.stresses.push(Stress { name, from, to, ..made });
    }

    /// Where the streams go: a node or an interface of one.
    fn stress_target(&mut self, stress: &StressDecl) -> Option<Destination> {
        if let Some(port) = &stress.to.port {
            let (transport, help) = ("a stress".to_owned(), "leave the port out: each stream takes its own, of `ports` if said".to_owned());
            self.context.raise(NetError::NoPort { transport, span: port.span, help });
            return None;
        }
        if !matches!(stress.to.kind, TargetKind::Name(_)) {
            let words = self.context.words(stress.to.span);
            let (expected, found) = ("a node or an interface of one".to_owned(), format!("`{words}`"));
            let help = Some("the streams' servers are made for the run, at a node of the scenario".to_owned());
            self.context.raise(ExpandError::WrongType { expected, found, span: stress.to.span, help });
            return None;
        }
        self.node_destination(&stress.to, None)
    }

    /// The mix but for its name and ends.
    fn mix(&mut self, stress: &StressDecl, found: &Found<'_>) -> Stress {
        let time = Bounds(Dimension::Duration, 1_000_000, DAY_NS);
        let size = Bounds(Dimension::Size, 1, 1 << 20);
        let rate = Bounds(Dimension::Rate, 1, 1_000_000 * BILLION);
        let transports = self.stress_transports(found);
        let tools = self.stress_tools(found, &transports);
        Stress {
            name: String::new(),
            doc: stress.doc.join("\n"),
            from: Vec::new(),
            to: Destination::Node(crate::scenario::NodeId(0), None),
            streams: found.get("streams").and_then(|said| self.amount(said, STREAMS, "streams 50")).unwrap_or(10),
            total: found.get("total").and_then(|said| self.amount(said, Bounds(Dimension::Count, 1, 1_000_000_000), "total 1000")),
            duration: found
                .get("duration")
                .and_then(|said| self.varying(said, time, "duration uniform(10s, 60s)"))
                .unwrap_or(Varying::Uniform(1_000_000_000, 10_000_000_000)),
            size: found.get("size").and_then(|said| self.varying(said, size, "size 64B..64KiB")).unwrap_or(Varying::Uniform(64, 65_536)),
            rate_nano: found.get("rate").and_then(|said| self.amount(said, rate, "rate 10/s")),
            transports,
            tools,
            ports: found.get("ports").and_then(|said| {
                let value = self.one(said, "ports 5001..6000")?;
                self.port_range(value, &said.scope)
            }),
            span: stress.span,
        }
    }

    fn stress_transports(&mut self, found: &Found<'_>) -> Vec<StressTransport> {
        let default = vec![StressTransport::Tcp, StressTransport::Udp, StressTransport::Icmp];
        let Some(said) = found.get("transports") else { return default };
        let mut made: Vec<StressTransport> = Vec::new();
        for value in self.each_value(said, "transports [tcp, udp]").unwrap_or_default() {
            let Some(one) = self.choice_of("transports", value, &said.scope, STRESS_TRANSPORTS) else { continue };
            if made.contains(&one) {
                let (name, first) = (self.context.words(value.span), said.span());
                self.context.raise(ExpandError::OptionTwice { name, span: value.span, first });
            } else {
                made.push(one);
            }
        }
        if made.is_empty() { default } else { made }
    }

    fn stress_tools(&mut self, found: &Found<'_>, transports: &[StressTransport]) -> Vec<ToolKind> {
        let Some(said) = found.get("tools") else { return Vec::new() };
        let kinds: Vec<TransportKind> = transports.iter().map(|one| one.kind()).collect();
        let mut made: Vec<ToolKind> = Vec::new();
        for value in self.each_value(said, "tools [iperf3, ping]").unwrap_or_default() {
            let Some(tool) = self.choice_of("tools", value, &said.scope, TOOLS) else { continue };
            let knows = of_tool(tool);
            if !knows.iter().any(|kind| kinds.contains(kind)) {
                let words: Vec<&str> = knows.iter().map(|kind| kind.word()).collect();
                let needs = format!("{} among the transports", listed(&words).replace(" and ", " or "));
                let help = format!("add one of them: `transports [{}]`", words.join(", "));
                self.context.raise(NetError::OptionNeeds { option: tool.word().into(), needs, span: value.span, help });
            } else if made.contains(&tool) {
                let (name, first) = (tool.word().to_owned(), said.span());
                self.context.raise(ExpandError::OptionTwice { name, span: value.span, first });
            } else {
                made.push(tool);
            }
        }
        made
    }
}
