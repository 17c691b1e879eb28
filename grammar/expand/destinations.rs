//! Where flows go. In: a target of the tree. Out: a [`Destination`]. Whether it can be reached is the planner's question.

use super::draft::Draft;
use super::error::ExpandError;
use super::net_error::NetError;
use super::things::{ThingKind, Things};
use super::transports::Carrier;
use super::value::Value;
use crate::resolve::ResolveError;
use crate::scenario::flow::ToolKind;
use crate::scenario::transport::{Listener, Transport, TransportKind};
use crate::scenario::{Destination, ProcessId, ServiceId};
use crate::source::Span;
use crate::syntax::tree::{Target, TargetKind};

/// What a flow can go to.
const GOALS: &[ThingKind] = &[ThingKind::Node, ThingKind::Service, ThingKind::Process];
const GOAL_WORDS: &str = "node, service or process";

impl Draft<'_, '_> {
    /// Where a flow goes; what it runs over decides about ports.
    pub(super) fn destination(&mut self, target: &Target, carrier: Carrier) -> Option<Destination> {
        let port = match &target.port {
            Some(expr) => Some(self.port(expr)?),
            None => None,
        };
        let portless = matches!(carrier.kind, TransportKind::Icmp | TransportKind::Frames);
        if let (true, Some(expr)) = (portless, &target.port) {
            let (transport, help) = (carrier.kind.word().to_owned(), "leave the port out".to_owned());
            self.context.raise(NetError::NoPort { transport, span: expr.span, help });
            return None;
        }
        let path = match &target.kind {
            TargetKind::Address(expr) => {
                let value = self.context.evaluate(expr, &self.scope)?;
                return self.valued_destination(value, port, portless, target.span);
            }
            TargetKind::Name(path) => path,
        };
        match self.thing_kind(&path.parts) {
            Some(ThingKind::Node) => self.node_destination(target, port),
            Some(ThingKind::Service) => {
                let found = self.things_of(&path.parts, GOALS, GOAL_WORDS)?;
                self.service_destination(&found, target, carrier)
            }
            Some(ThingKind::Process) => {
                let found = self.things_of(&path.parts, GOALS, GOAL_WORDS)?;
                let id = ProcessId(self.only(&found, path.span)?);
                if portless {
                    return self.no_port_there(carrier, target.span, "name the node of the process");
                }
                match port {
                    Some(port) => Some(Destination::Process(id, port)),
                    None => {
                        let target_words = self.context.words(path.span);
                        self.context.raise(ExpandError::MissingPort { target: target_words, span: target.span });
                        None
                    }
                }
            }
            Some(_) => {
                self.things_of(&path.parts, GOALS, GOAL_WORDS);
                None
            }
            None => {
                let name = path.parts.first()?.name.text.as_str();
                match self.scope.find(self.context, name).map(|binding| binding.value.clone()) {
                    Some(Some(value)) if path.parts.len() == 1 => self.valued_destination(value, port, portless, target.span),
                    Some(None) => None,
                    _ => {
                        self.things_of(&path.parts, GOALS, GOAL_WORDS);
                        None
                    }
                }
            }
        }
    }

    /// A node or an interface of one.
    pub(super) fn node_destination(&mut self, target: &Target, port: Option<u16>) -> Option<Destination> {
        let TargetKind::Name(path) = &target.kind else { return None };
        let point = self.point_of(path)?;
        let [node] = point.nodes.as_slice() else {
            self.context.raise(ResolveError::OnlyOne { name: self.context.words(path.span), span: path.span });
            return None;
        };
        if point.many {
            self.context.raise(ResolveError::OnlyOne { name: self.context.words(path.span), span: path.span });
            return None;
        }
        if !self.is_host(*node, path.span, "be the end of a flow") {
            return None;
        }
        let Some(interface) = point.interface else { return Some(Destination::Node(*node, port)) };
        self.interface(*node, &interface)?;
        Some(Destination::Interface(*node, interface.text, port))
    }

    /// The one id of things.
    fn only(&mut self, things: &Things, span: Span) -> Option<u32> {
        match (things.ids.as_ref(), things.many) {
            ([one], false) => Some(*one),
            _ => {
                self.context.raise(ResolveError::OnlyOne { name: things.words.clone(), span });
                None
            }
        }
    }

    fn no_port_there(&mut self, carrier: Carrier, span: Span, help: &str) -> Option<Destination> {
        let transport = carrier.kind.word().to_owned();
        self.context.raise(NetError::NoPort { transport, span, help: help.into() });
        None
    }

    fn valued_destination(&mut self, value: Value, port: Option<u16>, portless: bool, span: Span) -> Option<Destination> {
        let target = match &value {
            Value::Address(address) if address.is_ipv4() => address.to_string(),
            Value::Address(address) => format!("[{address}]"),
            Value::Text(name) => name.clone(),
            other => {
                self.context.wrong_type("an address, the name of a host, a node, a service or a process", other, span);
                return None;
            }
        };
        if port.is_none() && !portless {
            self.context.raise(ExpandError::MissingPort { target, span });
            return None;
        }
        Some(match value {
            Value::Address(address) => Destination::Address(address, port),
            _ => Destination::HostName(target, port),
        })
    }

    fn service_destination(&mut self, things: &Things, target: &Target, carrier: Carrier) -> Option<Destination> {
        let id = ServiceId(self.only(things, target.span)?);
        let declared = self.scenario.services[id.index()].span;
        if carrier.kind == TransportKind::Icmp || carrier.kind == TransportKind::Frames {
            return self.no_port_there(carrier, target.span, "name the node of the service");
        }
        if let Some(port) = &target.port {
            let name = things.words.clone();
            self.context.raise(ExpandError::PortOfService { name, span: port.span, declared });
            return None;
        }
        Some(Destination::Service(id))
    }

    /// Reports a flow that speaks otherwise than the service it goes to.
    pub(super) fn check_service(&mut self, to: &Destination, transport: &Transport, carrier: Carrier, span: Span) {
        let Destination::Service(id) = to else { return };
        let service = &self.scenario.services[id.index()];
        let (listens, over) = (service.listener.kind(), transport.kind());
        let secured = |listener: &Listener| matches!(listener, Listener::Http { tls: Some(_), .. });
        let asks = matches!(transport, Transport::Http { tls: Some(_), .. });
        let multipath = |kind| if kind == TransportKind::Mptcp { TransportKind::Tcp } else { kind };
        let tool = matches!(carrier.tool, Some(ToolKind::Iperf3 | ToolKind::Iperf | ToolKind::Netperf));
        let (name, declared) = (service.name.clone(), service.span);
        let (listens_words, flow_words, help) = if tool {
            let help = "name the service's node: the tool brings its own server along".to_owned();
            (format!("`{}`", listens.word()), carrier.word().to_owned(), help)
        } else if multipath(listens) != multipath(over) {
            let help = format!("write `over {}`, or let the service `listen {}`", listens.word(), over.word());
            (format!("`{}`", listens.word()), format!("`{}`", over.word()), help)
        } else if listens == TransportKind::Http && secured(&service.listener) != asks {
            let help = "say `tls { }` at both or at none".to_owned();
            let words = |tls: bool| if tls { "`http` with TLS" } else { "`http` without TLS" };
            (words(!asks).to_owned(), words(asks).to_owned(), help)
        } else {
            return;
        };
        let span = carrier.said.unwrap_or(span);
        self.context.raise(NetError::TransportOfService { service: name, listens: listens_words, flow: flow_words, span, declared, help });
    }
}
