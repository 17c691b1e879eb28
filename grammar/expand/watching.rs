//! Where flows of frames leave and arrive, and what makes no sense of one that only watches. In: a flow as said, its frame. Out: problems. Builds
//! nothing.

use super::draft::Draft;
use super::error::ExpandError;
use super::frames::Described;
use super::names::Point;
use super::net_error::NetError;
use super::options::Found;
use crate::scenario::Destination;
use crate::scenario::frame::{FramePayload, Lldp, Network};
use crate::source::Span;
use crate::syntax::tree::FlowDecl;

/// What says how much is sent, and has no meaning where nothing is.
const OF_SENDERS: &[&str] = &["total", "bandwidth", "arrivals", "burst"];

impl Draft<'_, '_> {
    /// Reports frames that need an interface to leave by, or a node to arrive at, where none is said.
    pub(super) fn check_leaving(&mut self, flow: &FlowDecl, said: &Described, from: Option<&Point>, to: Option<&Destination>) {
        let node = self.context.words(flow.from.span);
        if from.is_some_and(|from| from.interface.is_none()) {
            let bound = said.bound.or_else(|| said.frame.network.is_none().then_some(("frame", said.span)));
            if let Some((option, span)) = bound {
                let (option, needs) = (option.to_owned(), "an interface to leave by".to_owned());
                let help = format!("write `from {node}.eth0`; a packet that is routed begins with `ipv4` or `ipv6`");
                self.context.raise(NetError::OptionNeeds { option, needs, span, help });
            }
        }
        if let (Some(Destination::Address(..) | Destination::HostName(..)), Some((option, span))) = (to, said.bound) {
            let (option, needs) = (option.to_owned(), "a node or an interface to arrive at".to_owned());
            let help = "write `to NODE.eth0`".to_owned();
            self.context.raise(NetError::OptionNeeds { option, needs, span, help });
        }
    }

    /// Reports what a flow that only watches can't say.
    pub(super) fn check_watch(&mut self, flow: &FlowDecl, found: &Found<'_>, said: &Described, to: Option<&Destination>) {
        let over = flow.over.as_ref().map_or(flow.name.span, |over| over.transport.span);
        let mut clash = |option: Span, message: String, help: &str| {
            self.context.raise(ExpandError::OptionConflict { message, span: option, other: over, help: help.to_owned() });
        };
        for (name, option) in OF_SENDERS.iter().filter_map(|name| Some((name, found.get(name)?))) {
            let message = format!("`{name}` says what is sent, and a flow with `watch on` sends nothing");
            clash(
                option.span(),
                message,
                "leave it out: `rate` says how often frames are expected, `duration` or the timeline ends the flow",
            );
        }
        if let Some(option) = found.get("peer") {
            let message = "with `peer none` nobody looks, and a flow with `watch on` does nothing else".to_owned();
            clash(option.span(), message, "leave one of them out");
        }
        if let Some(FramePayload::Filled(_) | FramePayload::Random(_)) = said.frame.payload {
            let message = "a `payload` of a size says what is sent, and a flow with `watch on` sends nothing".to_owned();
            clash(said.span, message, "leave it out, or say a text or bytes that the payload begins with");
        }
        if let Some(Network::Lldp(Lldp { chassis, port, ttl_s, system, description })) = &said.frame.network
            && (ttl_s.is_some() || [chassis, port, system, description].iter().any(|text| text.is_some()))
        {
            let message = "what LLDP tells stands at no fixed place, and `watch on` can't look for it".to_owned();
            clash(said.span, message, "write `lldp { }` for all of them, and tell them apart by `ethernet { source ... }`");
        }
        if !matches!(to, None | Some(Destination::Node(..) | Destination::Interface(..))) {
            let (option, needs) = ("watch".to_owned(), "a node or an interface to look at".to_owned());
            let help = "write `to NODE.eth0`".to_owned();
            self.context.raise(NetError::OptionNeeds { option, needs, span: flow.to.span, help });
        }
    }
}
