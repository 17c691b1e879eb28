//! What can be wrong with a scenario that is well formed but cannot be planned. In: facts. Out: diagnostics with a code, the
//! places and what to write instead. Decides nothing.

use scn_grammar::diagnostics::{Diagnostic, Severity};
use scn_grammar::source::Span;

/// Declares the problems of the planner: each variant holds facts and says how it reads.
macro_rules! problems {
    ($($(#[$doc:meta])* $variant:ident { $($field:ident: $kind:ty),* $(,)? } $severity:ident $code:literal $body:block)*) => {
        /// What cannot be planned. Facts that the checker looks at too carry the checker's code: one problem has one page.
        #[derive(Debug, Clone)]
        pub enum PlanError {
            $($(#[$doc])* $variant {
                $(#[doc = concat!("The fact `", stringify!($field), "` of the message.")] $field: $kind,)*
            },)*
        }

        impl PlanError {
            /// Every code that a plan can give.
            pub const CODES: &'static [&'static str] = &[$($code),*];
        }

        impl From<PlanError> for Diagnostic {
            fn from(problem: PlanError) -> Self {
                match problem {
                    $(PlanError::$variant { $($field),* } => {
                        let drawn: Diagnostic = $body;
                        Diagnostic { code: $code, severity: Severity::$severity, ..drawn }
                    })*
                }
            }
        }
    };
}

/// Starts a picture; code and severity are filled in by [`problems!`].
fn at(span: Span, message: impl Into<String>, label: impl Into<String>) -> Diagnostic {
    Diagnostic::error("", span, message, label)
}

problems! {
    /// A name that the kernel does not take.
    InterfaceName { name: String, reason: &'static str, span: Span } Error "scn::expand::interface_name" {
        at(span, format!("`{name}` can't be an interface's name: {reason}"), "not possible")
            .help("an interface's name has 1 to 15 bytes, without `/`, `:` and blanks")
    }
    /// An offload of what has none of its own.
    OffloadOfOther { name: String, below: String, span: Span } Error "scn::plan::offload_of_other" {
        at(span, format!("`{name}` has no offloads of its own: a macvlan hands on what `{below}` takes, and the kernel can't change that"), "`offload` here")
            .help(format!("say it of the interface below: `interface {below} {{ offload off }}`"))
    }
    /// An offload that joins packets which a link is to judge one by one.
    OffloadOn { link: String, does: &'static str, span: Span } Error "scn::plan::offload_on" {
        at(span, format!("offload can't be on here: `{link}` {does}"), "on here")
            .help("leave `offload on` out: scn turns off what joins packets where a link judges them one by one")
    }
    /// One interface, two links.
    InterfaceTwice { node: String, name: String, span: Span, first: Span } Error "scn::expand::interface_twice" {
        at(span, format!("`{node}` has `{name}` on two links"), "again").also(first, "first here")
            .help("give each link an interface of its own, or leave the name out")
    }
    /// A bridge where a host is needed.
    NotAHost { name: String, what: &'static str, span: Span, declared: Span } Error "scn::expand::not_a_host" {
        at(span, format!("`{name}` is a bridge and can't {what}"), "a bridge").also(declared, "declared here").help("use a `node` or a `router`")
    }
    /// One address, two places.
    AddressTwice { address: String, span: Span, first: Span } Error "scn::expand::address_twice" {
        at(span, format!("the address {address} is used twice"), "used again").also(first, "first used here")
            .help("give one of them another address, or let the timeline `move` it")
    }
    /// An address that no host can have.
    NotAHostAddress { address: String, what: &'static str, span: Span } Error "scn::expand::not_a_host_address" {
        at(span, format!("{address} is {what}, not the address of a host"), what)
    }
    /// Two listeners on one port.
    PortTwice { node: String, port: u16, span: Span, first: Span } Error "scn::expand::port_twice" {
        at(span, format!("port {port} of `{node}` is taken"), "listens there too").also(first, "listens there already")
            .help("give one of them another port, or an address of its own")
    }
    /// Bridges joined in a ring.
    BridgeLoop { first: String, second: String, span: Span } Error "scn::plan::bridge_loop" {
        at(span, format!("this link closes a ring of bridges: `{first}` and `{second}` are joined already"), "closes the ring")
            .help("take the link away or put a `router` in between: frames would circle in the ring for ever")
    }
    /// An address that its neighbours do not share a subnet with.
    OutsideSubnet { address: String, subnet: String, span: Span, said: Span } Error "scn::expand::outside_subnet" {
        at(span, format!("{address} is not of the subnet {subnet} of its broadcast domain"), "another subnet")
            .also(said, format!("this says {subnet}"))
            .help(format!("write an address of {subnet}; links that bridges join share one subnet of each family"))
    }
    /// An address with nothing that says its subnet.
    NoSubnet { address: String, span: Span } Error "scn::plan::no_subnet" {
        at(span, format!("nothing says which subnet {address} is of"), "a single address")
            .help("write the length of the subnet, such as /24; a single address may stand beside one that says it")
    }
    /// Two broadcast domains with the same addresses.
    OverlappingSubnets { first: String, second: String, span: Span, other: Span } Error "scn::plan::overlapping_subnets" {
        at(span, format!("the subnet {second} overlaps {first}, but no bridge joins them"), format!("{second} here"))
            .also(other, format!("{first} here")).help("give each broadcast domain a subnet of its own, or join the links by a bridge")
    }
    /// No address left.
    SubnetFull { subnet: String, node: String, span: Span, said: Span } Error "scn::plan::subnet_full" {
        at(span, format!("no address of {subnet} is left for `{node}`"), "needs an address").also(said, format!("this says {subnet}"))
            .help("write a shorter prefix length, such as /16, or leave all addresses of these links out")
    }
    /// No subnet left in the run's own pool.
    PoolExhausted { pool: String, needed: u64, span: Span } Error "scn::plan::pool_exhausted" {
        at(span, format!("the run's own pool {pool} has no subnet left for {needed} addresses"), "needs a subnet")
            .help(format!("write addresses here, or keep the file's own addresses out of {pool}"))
    }
    /// A next hop that can't be reached at once.
    NextHop { via: String, node: String, subnets: String, span: Span } Error "scn::plan::next_hop" {
        at(span, format!("the next hop {via} is not a neighbour of `{node}`"), "on none of its subnets")
            .help(format!("`{node}` is on {subnets}: name the address of a router there"))
    }
    /// Two written routes to one place.
    RouteTwice { node: String, to: String, span: Span, first: Span } Error "scn::plan::route_twice" {
        at(span, format!("`{node}` has two routes to {to}"), "again").also(first, "first here").help("keep one of them")
    }
    /// Clients that start from what others have.
    SourceInUse { network: String, holder: String, span: Span, other: Span } Error "scn::plan::source_in_use" {
        at(span, format!("no flow can start from {network}: {holder}"), "not free").also(other, "used here")
            .help("take a range that nothing else uses, or a part of the node's own subnet that no other node has an address of")
    }
    /// An address of IPv6 where its smallest packets do not pass.
    MtuForIpv6 { address: String, mtu: u32, span: Span } Error "scn::plan::mtu_for_ipv6" {
        at(span, format!("{address} can't be had at an MTU of {mtu}: IPv6 needs 1280"), "an IPv6 address")
            .help("raise `mtu` to 1280 or more, or write IPv4 addresses only")
    }
    /// An address of an interface that stands below another one.
    CoveredAddress { node: String, name: String, span: Span, above: Span } Error "scn::plan::covered_address" {
        at(span, format!("`{node}.{name}` can't have an address: it has become part of another interface"), "an address here")
            .also(above, "this interface takes it over").help("write the address at the bond, or at the `passthru` interface")
    }
    /// More of something than there can be.
    TooMany { what: String, count: u64, limit: u64, span: Span, instead: &'static str } Error "scn::plan::too_many" {
        at(span, format!("{what}: {count}, but at most {limit} are possible"), "too many").help(instead)
    }
    /// A service on an address that its node never has.
    ListenAddress { service: String, node: String, address: String, span: Span } Error "scn::plan::listen_address" {
        at(span, format!("`{service}` listens on {address}, but `{node}` never has that address"), "can't listen there")
            .help(format!("give {address} to `{node}` in the topology or by `add` or `move`, or write `listen tcp :PORT`"))
    }
    /// A target address that nobody has.
    NoSuchAddress { address: String, span: Span, nearest: Option<String> } Error "scn::plan::no_such_address" {
        let help = match nearest {
            Some(nearest) => format!("the nearest address there is: {nearest}"),
            None => "no node has an address of this family".to_owned(),
        };
        at(span, format!("no node has the address {address}, at the start or later"), format!("goes to {address}")).help(help)
    }
    /// A target where nothing answers.
    NobodyListens { target: String, nodes: String, span: Span, listening: String } Error "scn::plan::nobody_listens" {
        at(span, format!("nothing listens on {target}"), format!("{nodes} has the address, but not the port")).help(listening)
    }
    /// A group or a broadcast address that nothing on the sender's links listens on.
    NobodyReceives { target: String, listen: String, from: String, span: Span } Error "scn::plan::nobody_receives" {
        at(span, format!("nothing on a link of `{from}` receives what is sent to {target}"), "goes to all on one link")
            .help(format!("declare `service NAME on NODE, ... {{ listen udp {listen}  serve PATTERN }}` on nodes of the same link; routers pass none on"))
    }
    /// A transaction that can't be had with several at once.
    GroupPattern { flow: String, pattern: String, why: &'static str, span: Span } Error "scn::plan::group_pattern" {
        at(span, format!("`{flow}` can't play `{pattern}` with several at once: {why}"), "goes to a group")
            .help("let the client send all that it has to say first, in messages of 32B or more, and then the servers answer")
    }
    /// A setting of a whole node that its flows and services say different things of.
    EcnOfNode { node: String, span: Span, other: Span } Error "scn::plan::ecn_of_node" {
        at(span, format!("`{node}` can't have `ecn` as is said here: it is a setting of the whole node"), "says so").also(other, "this says otherwise")
            .help("say the same of `ecn` at all flows and services of the node, or let them stand on nodes of their own")
    }
    /// Two ends that speak differently.
    OtherTransport { flow: &'static str, target: String, service: String, listens: &'static str, span: Span } Warning "scn::plan::other_transport" {
        at(span, format!("this flow speaks {flow} to {target}, where `{service}` listens with {listens}"), format!("goes over {flow}"))
            .help(format!("write `over {listens}`; if the service is to meet a client that speaks otherwise, this is as it should be"))
    }
    /// A flow without a way.
    Unreachable { flow: String, from: String, to: String, ends: String, span: Span } Error "scn::plan::unreachable" {
        at(span, format!("`{flow}` can't get from `{from}` to {to}: {ends}"), "no way there and back")
            .help("add a link, a router or a route; `scn plan` without this flow shows the routes of each node")
    }
    /// Addresses to start from that nobody can answer to.
    NoWayBack { flow: String, network: String, from: String, ends: String, span: Span } Error "scn::plan::no_way_back" {
        at(span, format!("no answer comes back to `{flow}`, which starts from {network}: {ends}"), "no way back")
            .help(format!("say the way at the nodes in between: `route NODE {network} via ADDRESS`, towards `{from}`; without `routing manual` the planner does"))
    }
    /// A readiness that never comes.
    ReadyAddress { process: String, address: String, why: String, span: Span } Error "scn::plan::ready_address" {
        at(span, format!("`{process}` never counts as ready: {why}"), format!("looks at {address}"))
            .help("name an address that the topology gives, or another sign: `ready log /listening/`, `ready run \"...\"`")
    }
    /// An interface that is not there.
    NoSuchInterface { node: String, name: String, has: String, span: Span } Error "scn::resolve::unknown_interface" {
        at(span, format!("`{node}` has no interface `{name}`"), "no link ends here").help(format!("it has {has}"))
    }
    /// An address that comes to a node that is not on its subnet.
    NotOnSubnet { address: String, place: String, subnets: String, span: Span } Error "scn::plan::not_on_subnet" {
        at(span, format!("{address} can't come to {place}, which is not on that subnet"), "another subnet")
            .help(format!("{place} is on {subnets}"))
    }
    /// An address taken from a node that never has it.
    NotHeld { address: String, node: String, holders: String, span: Span } Error "scn::expand::address_not_there" {
        at(span, format!("`{node}` does not have {address}"), "no link gives it, and no entry").help(holders)
    }
    /// A fault on a node without links.
    NothingToStrike { node: String, span: Span, declared: Span } Error "scn::plan::nothing_to_strike" {
        at(span, format!("`{node}` has no link that could fail"), "strikes nothing").also(declared, "declared here, on no link")
            .help("link it to something, or take the entry away")
    }
    /// A fault on a tunnel.
    TunnelStruck { link: String, span: Span, declared: Span } Error "scn::plan::nothing_to_strike" {
        at(span, format!("the tunnel `{link}` has no wire of its own that could fail"), "strikes nothing").also(declared, "declared here")
            .help("strike a link that its packets go over")
    }
    /// A fault on what stands on this machine.
    OutsideStruck { interface: String, span: Span, declared: Span } Error "scn::plan::nothing_to_strike" {
        at(span, format!("`{interface}` stands on this machine already: no fault strikes it"), "strikes nothing").also(declared, "declared here")
            .help("strike a link between the bridge and a node of the run")
    }
    /// A metric of a link that has no wire.
    LinkNotCounted { link: String, metric: String, interface: String, span: Span } Error "scn::expand::not_measured" {
        at(span, format!("the link `{link}` has no `{metric}`: `{interface}` stands on this machine already"), "never measured here")
            .help(format!("the kernel counts at the interfaces: `{interface}.tx_packets`"))
    }
    /// Something that the kernel's queues do otherwise than the model, or not at all.
    KernelCannot { what: String, link: String, why: &'static str, instead: &'static str, span: Span, declared: Option<Span> } Error "scn::plan::kernel_engine" {
        let drawn = at(span, format!("the kernel can't carry out {what} on `{link}`: {why}"), "not with `--engine kernel`");
        let drawn = declared.into_iter().fold(drawn, |drawn, declared| drawn.also(declared, "the link"));
        drawn.help(format!("{instead}run it with `--engine wire`, which can do everything"))
    }
    /// A frame that its interface does not take.
    FrameTooLong { flow: String, bytes: u64, interface: String, mtu: u32, span: Span } Error "scn::plan::frame_too_long" {
        at(span, format!("frames of `{flow}` have {bytes}B behind their Ethernet header: `{interface}` takes {mtu}B"), "too long")
            .help(format!("say a smaller `payload`, or `mtu {bytes}` at the link"))
    }
    /// A flow that never ends.
    EndlessFlow { flow: String, total: bool, span: Span } Error "scn::plan::endless_flow" {
        at(span, format!("`{flow}` never ends: nothing of the timeline comes after its start"), "no end")
            .help(format!("say {}`duration 10s` in the flow, or `at 10s stop {flow}` in the timeline", if total { "`total 100` or " } else { "" }))
    }
    /// A timeout that cuts the run for certain.
    TimeoutTooShort { timeout: String, needed: String, what: String, span: Span } Warning "scn::plan::timeout_too_short" {
        at(span, format!("the run is cut after {timeout}, but {what} needs {needed}"), "not seen to its end")
            .help("raise `timeout`; what a cut run could not see is inconclusive")
    }
    /// An argument of a tool that is not the scenario's to give.
    ToolArgument { tool: &'static str, argument: String, why: String, span: Span } Error "scn::plan::tool_argument" {
        at(span, format!("`{argument}` can't stand in the arguments of {tool}: {why}"), "in its `arguments`")
            .help("say it by the flow's own options, or leave it out")
    }
    /// What a tool cannot do.
    ToolLimit { tool: &'static str, what: String, instead: &'static str, span: Span } Error "scn::plan::tool_limit" {
        at(span, format!("{tool} has no way to make {what}"), "not possible").help(instead)
    }
    /// Instants that wait for each other.
    CircularTime { span: Span, other: Span } Error "scn::plan::circular_time" {
        at(span, "these entries wait for each other", "waits for the other").also(other, "and this waits too")
            .help("a `when` is watched once every entry before it has acted: put entries that follow its event after it")
    }
    /// An instant before something that nobody can foresee, or before the start.
    UnknowableTime { span: Span, reason: String } Error "scn::plan::unknowable_time" {
        at(span, format!("this entry can't act in time: {reason}"), "too early").help("count forward from an event, or from the start")
    }
}

/// Everything found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<Diagnostic>,
}

impl Findings {
    pub(crate) fn add(&mut self, problem: PlanError) {
        self.found.push(problem.into());
    }

    pub(crate) fn extend(&mut self, problems: impl IntoIterator<Item = PlanError>) {
        problems.into_iter().for_each(|problem| self.add(problem));
    }

    pub(crate) fn failed(&self) -> bool {
        self.found.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// All of it in the order of the text.
    pub(crate) fn sorted(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|diagnostic| (diagnostic.primary.span, diagnostic.code));
        self.found
    }
}
