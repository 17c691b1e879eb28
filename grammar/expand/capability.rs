//! What a flow can measure. In: a metric with its row, and the flow. Out: whether the flow has it; if not, who has. Looks at the
//! flow's transport, its tool, its pattern and its other end; at nothing that only a run shows.

use super::draft::Draft;
use super::moment_error::MomentError;
use crate::scenario::expect::{Metric, Subject};
use crate::scenario::flow::{Destination, Flow, ToolKind};
use crate::scenario::metrics::{self, MetricRow, Needs, Owner, OwnerKind, Watched};
use crate::scenario::pattern::{Pattern, Side, Step, StepKind};
use crate::scenario::topology::LinkKind;
use crate::scenario::transport::{Transport, TransportKind};
use crate::source::Span;

/// Words with commas, the last after `and`.
fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

/// Who has a metric, in words: `flows over tls, http and quic`.
fn who_has(needs: &Needs) -> String {
    let transports: Vec<&str> = needs.transports.iter().map(|kind| kind.word()).collect();
    let tools: Vec<&str> = needs.tools.iter().map(|tool| tool.word()).collect();
    let over = if transports.len() >= 9 { "flows without a tool".to_owned() } else { format!("flows over {}", listed(&transports)) };
    if tools.is_empty() { format!("{over} have it") } else { format!("{over}, and those via {}, have it", listed(&tools)) }
}

/// A tool tells a metric of flows over a transport.
fn tells(needs: &Needs, tool: ToolKind, over: TransportKind) -> bool {
    let counted = !needs.single || matches!(over, TransportKind::Udp | TransportKind::Icmp);
    needs.tools.contains(&tool) && needs.transports.contains(&over) && counted
}

/// Everything that a tool tells of flows over a transport, in words.
fn what_tells(tool: ToolKind, over: TransportKind) -> String {
    let told = metrics::of(OwnerKind::Flow).filter(|row| matches!(row.owner, Owner::Flow(needs) if tells(&needs, tool, over)));
    let names: Vec<String> = told.map(|row| format!("`{}`", row.name)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    format!("{} over {} tells {}", tool.word(), over.word(), listed(&names))
}

/// The server sends something in some step.
fn answers(pattern: &Pattern) -> bool {
    fn any(steps: &[Step]) -> bool {
        steps.iter().any(|step| match &step.kind {
            StepKind::Sends { by, .. } | StepKind::Echoes { by } => *by == Side::Server,
            StepKind::Repeat { steps, .. } => any(steps),
            StepKind::Choose { branches } => branches.iter().any(|branch| any(&branch.steps)),
            _ => false,
        })
    }
    any(&pattern.steps)
}

/// Why the other end of a flow does not answer, if so.
fn silent(flow: &Flow) -> Option<&'static str> {
    match &flow.pattern {
        _ if flow.peer_none => Some("nobody answers it (`peer none`)"),
        Some(pattern) if !answers(pattern) => Some("its pattern has no answers"),
        _ => None,
    }
}

/// Why the other end of a flow is certainly not the program's own, if so.
fn foreign(flow: &Flow) -> Option<&'static str> {
    match &flow.to {
        _ if flow.peer_none => Some("nothing of the program's is at its other end (`peer none`)"),
        Destination::Process(..) => Some("its other end is a process, not the program's own"),
        Destination::HostName(..) => Some("its other end is not the program's own"),
        _ => None,
    }
}

/// It makes a TLS handshake.
fn shakes_hands(transport: &Transport) -> bool {
    match transport {
        Transport::Tls { .. } | Transport::Quic { .. } => true,
        Transport::Http { tls, .. } => tls.is_some(),
        _ => false,
    }
}

impl Draft<'_, '_> {
    /// Says so if what is measured has no such metric.
    pub(super) fn can_measure(&mut self, metric: &Metric, row: &MetricRow, span: Span) -> bool {
        let trouble = match (&metric.subject, row.owner) {
            (Subject::Flow(id), Owner::Flow(needs)) => self.scenario.flows.get(id.index()).and_then(|flow| {
                let (reason, help) = flow_lacks(flow, &needs)?;
                Some((format!("the flow `{}`", flow.name), reason, help))
            }),
            (Subject::Link(id), _) => self.scenario.topology.links.get(id.index()).and_then(|link| {
                let tunnel = !matches!(link.kind, LinkKind::Wire);
                let help = Some("name the links below it".to_owned());
                tunnel.then(|| (format!("the tunnel `{}`", link.name), "its packets are those of the links below it".to_owned(), help))
            }),
            _ => None,
        };
        let Some((thing, reason, help)) = trouble else { return true };
        self.context.raise(MomentError::NotMeasured { metric: metric.name.clone(), thing, reason, span, help });
        false
    }
}

/// Why a flow has no metric with these needs for it only watches, and what it has.
fn watcher_lacks(flow: &Flow, needs: &Needs) -> Option<(String, Option<String>)> {
    match needs.watched {
        _ if !flow.transport.watches() => None,
        Watched::Never => {
            let of = |expected: bool| {
                let names: Vec<String> =
                    metrics::watched().filter(|(_, needed)| *needed == expected).map(|(name, _)| format!("`{name}`")).collect();
                listed(&names.iter().map(String::as_str).collect::<Vec<_>>())
            };
            let help = format!("a flow with `watch on` has {}, and with a `rate` {}", of(false), of(true));
            Some(("it only watches, and nothing of it is sent".to_owned(), Some(help)))
        }
        Watched::Expected if flow.load.rate_nano.is_none() => {
            let help = "say in the flow how often frames are expected: `rate 10/s`".to_owned();
            Some(("it only watches, and says nothing of how often frames are expected".to_owned(), Some(help)))
        }
        Watched::Expected | Watched::Always => None,
    }
}

/// Why a flow has no metric with these needs, and who has.
fn flow_lacks(flow: &Flow, needs: &Needs) -> Option<(String, Option<String>)> {
    let kind: TransportKind = flow.transport.kind();
    let tool: Option<ToolKind> = flow.tool.as_ref().map(|tool| tool.kind);
    if let Some(tool) = tool {
        let help = || Some(format!("{}; {}", who_has(needs), what_tells(tool, kind)));
        if !needs.tools.contains(&tool) {
            return Some((format!("`{}` does not tell it", tool.word()), help()));
        }
        return (!tells(needs, tool, kind)).then(|| (format!("`{}` over {} does not tell it", tool.word(), kind.word()), help()));
    }
    if !needs.transports.contains(&kind) {
        return Some((format!("it runs over {}", kind.word()), Some(who_has(needs))));
    }
    if let Some(lack) = watcher_lacks(flow, needs) {
        return Some(lack);
    }
    if needs.handshake && !shakes_hands(&flow.transport) {
        return Some((
            format!("over {} without TLS there is no handshake", kind.word()),
            Some("flows over tls, quic and http with `tls` have it".to_owned()),
        ));
    }
    if let Some(reason) = silent(flow).filter(|_| needs.replies) {
        return Some((reason.to_owned(), Some("let the server answer, or measure one way: `forward.loss`, `owd`".to_owned())));
    }
    if let Some(reason) = foreign(flow).filter(|_| needs.own_server) {
        return Some((reason.to_owned(), Some("only a flow to a node or to a service of the scenario has it".to_owned())));
    }
    None
}
