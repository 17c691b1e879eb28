//! What flows run over: the transport with its options, or the tool. In: `over` and `via`. Out: a [`Transport`]. Which option belongs
//! to which transport stands in `transport_options`.

use super::draft::Draft;
use super::net_error::NetError;
use super::options::{Found, Known};
use super::reading::Bounds;
use super::transport_options::{FLOW_ROWS, OVER_ROWS, OptionRow, TOOLS, listed, of_tool};
use super::{frames, http};
use crate::quantity::Dimension;
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::flow::ToolKind;
use crate::scenario::frame::Frame;
use crate::scenario::transport::{Icmp, TRANSPORTS, Transport, TransportKind, Wire};
use crate::source::Span;
use crate::syntax::tree::{FlowDecl, Name};

/// What a flow runs over, before its options are read.
#[derive(Clone, Copy)]
pub(super) struct Carrier {
    /// The transport.
    pub kind: TransportKind,
    /// The tool, if one makes the flow.
    pub tool: Option<ToolKind>,
    /// Where it is said; `None`: nowhere.
    pub said: Option<Span>,
}

impl Carrier {
    /// As a message names it.
    pub fn word(self) -> &'static str {
        self.tool.map_or(self.kind.word(), ToolKind::word)
    }

    /// It has an option.
    fn has(self, row: &OptionRow) -> bool {
        let kind = row.transports.contains(&self.kind);
        self.tool.map_or(kind, |tool| row.tools.contains(&tool) && (kind || row.transports.is_empty()))
    }

    /// Where an option of transports belongs that was said of the flow itself; `None`: it is none of theirs.
    pub fn place_in_over(self, option: &str) -> Option<String> {
        let row = OVER_ROWS.iter().find(|row| row.name == option)?;
        if self.has(row) {
            return Some(format!("`{option}` is an option of `over {} {{ }}`", self.kind.word()));
        }
        let have: Vec<&str> = row.transports.iter().map(|kind| kind.word()).collect();
        let verb = if have.len() == 1 { "has" } else { "have" };
        Some(format!("`{option}` is an option in the block of `over`: {} {verb} it", listed(&have)))
    }
}

/// Where an option of flows belongs that was said of their transport; `None`: it is none of theirs.
fn place_in_flow(option: &str) -> Option<String> {
    let known = FLOW_ROWS.iter().any(|row| row.name == option);
    known.then(|| format!("`{option}` is an option of the flow: say it in the flow's own block"))
}

/// Every option of `over`, of whatever transport.
pub(crate) const OVER_OPTIONS: Known = Known {
    what: "a transport",
    once: &[
        "congestion",
        "nodelay",
        "ecn",
        "keepalive",
        "mss",
        "dscp",
        "ttl",
        "mark",
        "send_buffer",
        "receive_buffer",
        "user_timeout",
        "wire",
        "df",
        "watch",
        "name",
        "verify",
        "versions",
        "alpn",
        "ciphers",
        "resumption",
        "certificate",
        "version",
        "streams",
        "method",
        "path",
        "body",
        "status",
        "tls",
    ],
    many: &["header"],
};

impl Draft<'_, '_> {
    /// The transport that a word means.
    pub(super) fn transport_kind(&mut self, name: &Name) -> Option<TransportKind> {
        let scope = self.scope.clone();
        let bound = scope.find(self.context, &name.text).and_then(|binding| binding.value.clone());
        let word = match bound {
            Some(super::value::Value::Word(word) | super::value::Value::Text(word)) => word,
            _ => name.text.clone(),
        };
        let found = TRANSPORTS.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind);
        if found.is_none() {
            let help = suggest(&word, TRANSPORTS.iter().map(|(known, _)| *known));
            self.context.raise(ResolveError::UnknownTransport { name: word, span: name.span, help });
        }
        found
    }

    /// What a flow says it runs over.
    pub(super) fn carrier(&mut self, flow: &FlowDecl) -> Option<Carrier> {
        let tool = match &flow.via {
            None => None,
            Some(name) => match TOOLS.iter().find(|(word, _)| *word == name.text) {
                Some((_, tool)) => Some((*tool, name.span)),
                None => {
                    let help = suggest(&name.text, TOOLS.iter().map(|(word, _)| *word));
                    let what = "the tool of a flow".to_owned();
                    self.context.raise(NetError::UnknownChoice { what, name: name.text.clone(), span: name.span, help });
                    return None;
                }
            },
        };
        let over = match &flow.over {
            None => None,
            Some(over) => Some((self.transport_kind(&over.transport)?, over.transport.span)),
        };
        let Some((tool, place)) = tool else {
            let (kind, said) = over.map_or((TransportKind::Tcp, None), |(kind, span)| (kind, Some(span)));
            return Some(Carrier { kind, tool: None, said });
        };
        let knows = of_tool(tool);
        let kind = match over {
            None => *knows.first()?,
            Some((kind, _)) if knows.contains(&kind) => kind,
            Some((kind, span)) => {
                let words: Vec<&str> = knows.iter().map(|kind| kind.word()).collect();
                let help = Some(format!("{} runs over {}", tool.word(), listed(&words)));
                let what = format!("the transport of {}", tool.word());
                self.context.raise(NetError::UnknownChoice { what, name: kind.word().into(), span, help });
                return None;
            }
        };
        Some(Carrier { kind, tool: Some(tool), said: Some(place) })
    }

    /// Reports options that this transport or tool has not.
    pub(super) fn check_rows(&mut self, found: &Found<'_>, rows: &'static [OptionRow], carrier: Carrier) {
        for row in rows.iter().filter(|row| !carrier.has(row)) {
            let Some(said) = found.all(row.name).first() else { continue };
            let tools: Vec<&str> = row.tools.iter().map(|tool| tool.word()).collect();
            let have = match carrier.tool {
                Some(_) if tools.is_empty() => vec!["only flows of the program itself"],
                None if !row.transports.is_empty() => row.transports.iter().map(|kind| kind.word()).collect(),
                _ => tools,
            };
            self.option_of_transport(said, carrier.word(), carrier.said, &have);
        }
    }

    /// The transport with its options.
    pub(super) fn transport(&mut self, flow: &FlowDecl, carrier: Carrier, frame: Option<frames::Described>) -> Transport {
        let empty = Vec::new();
        let block = flow.over.as_ref().map_or(&empty, |over| &over.options);
        let found = self.options_beside(block, &OVER_OPTIONS, place_in_flow);
        self.check_rows(&found, OVER_ROWS, carrier);
        let socket = self.socket(&found);
        let streams = |draft: &mut Self| {
            let bounds = if carrier.kind == TransportKind::Sctp { Bounds(Dimension::Count, 1, 65_535) } else { http::STREAMS };
            found.get("streams").and_then(|said| draft.amount(said, bounds, "streams 10")).unwrap_or(1)
        };
        match carrier.kind {
            TransportKind::Tcp => Transport::Tcp { socket, wire: self.wire(&found) },
            TransportKind::Tls => Transport::Tls { socket, tls: self.tls_client(&found) },
            TransportKind::Udp => Transport::Udp { socket, wire: self.wire(&found) },
            TransportKind::Icmp => {
                let dont_fragment = found.get("df").and_then(|said| self.switch(said)).unwrap_or(false);
                Transport::Icmp(Icmp { ttl: socket.ttl, dont_fragment, dscp: socket.dscp, mark: socket.mark })
            }
            TransportKind::Http => {
                let tls = found.get("tls").map(|said| {
                    self.only_block(said, "tls { verify on }");
                    let inner = self.within_scope(&said.scope, |draft| draft.options(&said.option.block, &super::sockets::TLS_OPTIONS));
                    self.tls_client(&inner)
                });
                Transport::Http { socket, http: self.http(&found, flow.pattern.as_ref().map(|pattern| pattern.span)), tls }
            }
            TransportKind::Quic => Transport::Quic { socket, tls: self.tls_client(&found), streams: streams(self) },
            TransportKind::Sctp => Transport::Sctp { socket, streams: streams(self) },
            TransportKind::Mptcp => Transport::Mptcp { socket },
            TransportKind::Frames => {
                let watch = found.get("watch").and_then(|said| self.switch(said)).unwrap_or(false);
                Transport::Frames(Box::new(Frame { watch, ..frame.map(|described| described.frame).unwrap_or_default() }))
            }
        }
    }
}

/// The form of messages of a transport.
pub(super) fn wire_of(transport: &Transport) -> Wire {
    match transport {
        Transport::Tcp { wire, .. } | Transport::Udp { wire, .. } => *wire,
        _ => Wire::Own,
    }
}
