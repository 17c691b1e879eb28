//! The netlink messages of traffic control that the kernel engine sends. In: indexes, handles, options. Out: messages. Pure; sends nothing.

use netlink_packet_core::DefaultNla;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{
    TcAction, TcActionAttribute, TcActionGeneric, TcActionMirror, TcActionMirrorOption, TcActionOption, TcActionType, TcAttribute,
    TcFilterU32, TcFilterU32Option, TcHandle, TcMessage, TcMirror, TcMirrorActionType, TcOption, TcU32Selector, TcU32SelectorFlags,
};

/// `TCA_OPTIONS`.
pub(super) const OPTIONS: u16 = 2;
/// The handle of the place where packets come in.
const INGRESS: TcHandle = TcHandle { major: u16::MAX, minor: 0 };
/// The filter that hands packets over is the only one there.
const PRIORITY: u32 = 1;
/// A netem has one class, where the next one stands.
const CLASS: u16 = 1;

fn about(interface: u32, handle: TcHandle, parent: TcHandle) -> TcMessage {
    let mut message = TcMessage::with_index(interface.cast_signed());
    (message.header.handle, message.header.parent) = (handle, parent);
    message
}

/// Makes the place at an interface where packets that come in meet filters.
pub(crate) fn ingress(interface: u32) -> RouteNetlinkMessage {
    let mut message = about(interface, INGRESS, TcHandle::INGRESS);
    message.attributes = vec![TcAttribute::Kind("ingress".to_owned())];
    RouteNetlinkMessage::NewQueueDiscipline(message)
}

/// Whatever comes in at one interface goes out at another.
pub(crate) fn redirect(from: u32, to: u32) -> RouteNetlinkMessage {
    let mut generic = TcActionGeneric::default();
    generic.action = TcActionType::Stolen;
    let mut mirror = TcMirror::default();
    (mirror.generic, mirror.eaction, mirror.ifindex) = (generic, TcMirrorActionType::EgressRedir, to);
    let mut action = TcAction::default();
    action.tab = 1;
    action.attributes = vec![
        TcActionAttribute::Kind(TcActionMirror::KIND.to_owned()),
        TcActionAttribute::Options(vec![TcActionOption::Mirror(TcActionMirrorOption::Parms(mirror))]),
    ];
    // No keys: it takes everything.
    let mut selector = TcU32Selector::default();
    selector.flags = TcU32SelectorFlags::Terminal;
    let mut message = filter(from);
    message.attributes = vec![
        TcAttribute::Kind(TcFilterU32::KIND.to_owned()),
        TcAttribute::Options(vec![
            TcOption::U32(TcFilterU32Option::Selector(selector)),
            TcOption::U32(TcFilterU32Option::Action(vec![action])),
        ]),
    ];
    RouteNetlinkMessage::NewTrafficFilter(message)
}

/// No longer: the interface takes nothing any more.
pub(crate) fn no_redirect(from: u32) -> RouteNetlinkMessage {
    let mut message = filter(from);
    message.attributes = vec![TcAttribute::Kind(TcFilterU32::KIND.to_owned())];
    RouteNetlinkMessage::DelTrafficFilter(message)
}

fn filter(interface: u32) -> TcMessage {
    let mut message = about(interface, TcHandle::UNSPEC, INGRESS);
    message.header.info = PRIORITY << 16 | u32::from((libc::ETH_P_ALL as u16).to_be());
    message
}

/// A netem: made, or told anew without losing what it holds if it is there by this handle. `inside`: the handle of the one around it; none:
/// it is the interface's own, in the place of whatever was there.
pub(crate) fn netem(interface: u32, handle: u16, inside: Option<u16>, options: Vec<u8>) -> RouteNetlinkMessage {
    let parent = inside.map_or(TcHandle::ROOT, |major| TcHandle { major, minor: CLASS });
    let mut message = about(interface, TcHandle { major: handle, minor: 0 }, parent);
    // Its options begin with bytes that are no attribute.
    message.attributes = vec![TcAttribute::Kind("netem".to_owned()), TcAttribute::Other(DefaultNla::new(OPTIONS, options))];
    RouteNetlinkMessage::NewQueueDiscipline(message)
}

/// A question about a netem.
pub(crate) fn question(interface: u32, handle: u16) -> TcMessage {
    about(interface, TcHandle { major: handle, minor: 0 }, TcHandle::UNSPEC)
}
