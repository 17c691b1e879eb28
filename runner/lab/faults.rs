//! From an action to steps: which ports and outer ends it strikes, what is announced, what has no effect. In: actions, and the state
//! of every link and address. Out: steps for the lab's thread. Touches no kernel.
//!
//! A link is down while any fault holds it: `down r1` and `down wan` are two faults, `up r1` leaves the second. The same fault
//! twice is one, and the second time a warning.

use std::collections::{BTreeMap, BTreeSet};

use scn_grammar::scenario::LinkId;
use scn_grammar::scenario::timeline::{Action, Target};
use scn_grammar::scenario::topology::Prefix;

use super::bench::{Request, Step};
use super::error::LabError;
use super::impairments::{Change, Impairments};
use super::layout::{EndPlace, Layout};
use super::messages;
use super::partitions::{Barriers, Partitions};
use super::routes::Routes;
use crate::plan::types::{Engine, Plan};

/// What strikes a link, told apart from other faults on the same link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    Node(u32),
    Link(u32),
    Interface(u32, String),
    /// A node is isolated.
    Isolation(u32),
}

/// What holds a link.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    pub(super) down: BTreeSet<Cause>,
    pub(super) silent: BTreeSet<Cause>,
}

/// Two sorts of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Down,
    Silence,
}

/// What an action comes to.
#[derive(Debug, Default)]
pub(crate) struct Todo {
    /// Wires to cut (true) or to join, before the steps.
    pub(crate) cuts: Vec<(usize, bool)>,
    /// What ways of wires are to do.
    pub(crate) ways: Vec<Change>,
    /// What wires bar, of every wire; empty: as before.
    pub(crate) barriers: Barriers,
    /// Links on which an action is to meet packets, if it is to have an effect.
    pub(crate) meets: BTreeSet<usize>,
    /// For the lab's thread.
    pub(crate) steps: Vec<Step>,
    /// Links whose silence begins.
    pub(crate) silenced: Vec<usize>,
    /// Links whose silence ends.
    pub(crate) unsilenced: Vec<usize>,
    /// What a reader should know.
    pub(crate) warnings: Vec<String>,
}

/// The state of everything that actions change.
#[derive(Debug)]
pub(crate) struct Faults {
    pub(super) layout: Layout,
    /// Names of links.
    pub(super) links: Vec<String>,
    pub(super) held: Vec<Held>,
    pub(super) nodes: Vec<NodeState>,
    pub(super) impairments: Impairments,
    pub(super) partitions: Partitions,
    /// Ranges that nodes send from.
    pub(super) sources: Vec<(Prefix, usize)>,
    pub(super) routes: Routes,
}

/// A node's interfaces as they are now.
#[derive(Debug)]
pub(super) struct NodeState {
    pub(super) name: String,
    pub(super) interfaces: Vec<InterfaceState>,
}

#[derive(Debug)]
pub(super) struct InterfaceState {
    pub(super) name: String,
    pub(super) link: usize,
    pub(super) mac: [u8; 6],
    pub(super) addresses: Vec<Prefix>,
    /// Those of the plan: an address that comes back finds its place though all its subnet had gone.
    pub(super) planned: Vec<Prefix>,
}

impl Faults {
    /// Nothing is struck.
    pub(crate) fn new(plan: &Plan, layout: Layout) -> Self {
        let interface = |i: &crate::plan::types::PlannedInterface| InterfaceState {
            name: i.name.clone(),
            link: i.link.index(),
            mac: i.mac,
            addresses: i.addresses.clone(),
            planned: i.addresses.clone(),
        };
        let node = |(at, n): (usize, &crate::plan::types::PlannedNode)| NodeState {
            name: n.name.clone(),
            interfaces: n.interfaces.iter().map(interface).chain(upon(plan, &layout, at)).collect(),
        };
        let links: Vec<String> = plan.links.iter().map(|link| link.name.clone()).collect();
        let nodes = plan.nodes.iter().enumerate().map(node).collect();
        let sources = plan.flows.iter().flat_map(|flow| flow.source.iter().map(|range| (*range, flow.from.index())));
        let said = plan.links.iter().map(|link| [link.forward.clone(), link.back.clone()]).collect();
        Faults {
            layout,
            held: vec![Held::default(); links.len()],
            links,
            nodes,
            impairments: Impairments::new(said),
            partitions: Partitions::default(),
            sources: sources.collect(),
            routes: Routes::new(plan),
        }
    }

    /// The name of a link.
    pub(crate) fn link_name(&self, link: usize) -> &str {
        &self.links[link]
    }

    /// The name of a node.
    pub(crate) fn node_name(&self, node: usize) -> String {
        self.nodes[node].name.clone()
    }

    /// Where it is counted what comes to cross a silent link: at its ports what comes from behind, at their bridges what would
    /// go there. Namespace and interface.
    pub(crate) fn counted_at(&self, link: usize) -> Vec<(usize, u32)> {
        let bridge = |end: &EndPlace| end.bridge.map(|bridge| (end.node, bridge));
        self.layout.links[link].ends.iter().filter_map(bridge).chain(self.ports(link)).collect()
    }

    /// The bridge's ports of a link: namespace and interface.
    fn ports(&self, link: usize) -> Vec<(usize, u32)> {
        self.layout.links[link].ends.iter().filter(|end| end.bridge.is_some()).map(|end| (end.node, end.index)).collect()
    }

    /// The link goes through the fabric, by a wire or by the kernel.
    pub(crate) fn is_carried(&self, link: usize) -> bool {
        self.layout.links[link].engine != Engine::Direct
    }

    /// What an action comes to. The state is as if it were done.
    pub(crate) fn plan(&mut self, action: &Action) -> Result<Todo, LabError> {
        if let Some(todo) = self.shape(action) {
            return todo;
        }
        let mut todo = self.strike_or_move(action)?;
        if !self.partitions.is_empty() {
            // Addresses may have moved.
            todo.barriers = self.barriers();
        }
        Ok(todo)
    }

    fn strike_or_move(&mut self, action: &Action) -> Result<Todo, LabError> {
        match action {
            Action::Down(targets) => self.strike(targets, Sort::Down),
            Action::Silence(targets) => self.strike(targets, Sort::Silence),
            Action::Up(targets) => self.heal(targets, Sort::Down),
            Action::Unsilence(targets) => self.heal(targets, Sort::Silence),
            Action::AddAddress { prefix, node, interface } => self.add(*prefix, node.index(), interface.as_deref()),
            Action::RemoveAddress { address, node } => self.remove(*address, node.index()),
            Action::MoveAddress { prefix, from, to, interface } => self.relocate(*prefix, from.index(), to.index(), interface.as_deref()),
            Action::Route { nodes, to, via } => Ok(self.route(nodes, *to, *via)),
            _ => Err(LabError::NotTheLabs { action: format!("{action:?}") }),
        }
    }

    /// The links of a target, what to call the fault, and the target in words.
    pub(super) fn links_of(&self, target: &Target) -> Result<(Vec<usize>, Cause, String), LabError> {
        let mut links: Vec<usize>;
        let (cause, words) = match target {
            Target::Link(LinkId(link)) => {
                links = vec![*link as usize];
                (Cause::Link(*link), self.links[*link as usize].clone())
            }
            Target::Node(node) => {
                let state = &self.nodes[node.index()];
                links = state.interfaces.iter().map(|interface| interface.link).collect();
                (Cause::Node(node.0), state.name.clone())
            }
            Target::Interface(node, name) => {
                let state = &self.nodes[node.index()];
                links = vec![state.interfaces[self.position(node.index(), name)?].link];
                (Cause::Interface(node.0, name.clone()), format!("{}.{name}", state.name))
            }
        };
        links.sort_unstable();
        links.dedup();
        links.retain(|link| !self.layout.links[*link].fixed);
        let plain = |link: &&usize| !self.is_carried(**link) && self.ports(**link).is_empty();
        match links.iter().find(plain) {
            Some(link) => Err(LabError::CannotStrike { link: self.links[*link].clone() }),
            None => Ok((links, cause, words)),
        }
    }

    /// An interface of a node by its name.
    pub(super) fn position(&self, node: usize, name: &str) -> Result<usize, LabError> {
        let state = &self.nodes[node];
        state.interfaces.iter().position(|interface| interface.name == name).ok_or_else(|| LabError::NoInterface {
            node: state.name.clone(),
            interface: name.to_owned(),
            known: state.interfaces.iter().map(|interface| interface.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    pub(super) fn holders(&mut self, link: usize, sort: Sort) -> &mut BTreeSet<Cause> {
        match sort {
            Sort::Down => &mut self.held[link].down,
            Sort::Silence => &mut self.held[link].silent,
        }
    }

    /// A fault begins.
    fn strike(&mut self, targets: &[Target], sort: Sort) -> Result<Todo, LabError> {
        let mut todo = Todo::default();
        let mut changed = Vec::new();
        for target in targets {
            let (links, cause, words) = self.links_of(target)?;
            let before = changed.len();
            for link in links {
                let holders = self.holders(link, sort);
                if holders.is_empty() {
                    changed.push(link);
                }
                holders.insert(cause.clone());
            }
            if changed.len() == before {
                let verb = if sort == Sort::Down { "down" } else { "silence" };
                todo.warnings.push(format!("{verb} {words} had no effect: it was so already"));
            }
        }
        self.change(&changed, sort, true, &mut todo);
        Ok(todo)
    }

    /// A fault ends.
    fn heal(&mut self, targets: &[Target], sort: Sort) -> Result<Todo, LabError> {
        let mut todo = Todo::default();
        let mut changed = Vec::new();
        for target in targets {
            let (links, cause, words) = self.links_of(target)?;
            let verb = if sort == Sort::Down { "up" } else { "unsilence" };
            let mut held = false;
            for link in links {
                let holders = self.holders(link, sort);
                held |= holders.remove(&cause);
                if !holders.is_empty() {
                    let name = &self.links[link];
                    todo.warnings.push(format!("{verb} {words}: link {name} stays as it is, another fault holds it"));
                } else if held && !changed.contains(&link) {
                    changed.push(link);
                }
            }
            if !held {
                todo.warnings.push(format!("{verb} {words} had no effect: it was so already"));
            }
        }
        self.change(&changed, sort, false, &mut todo);
        Ok(todo)
    }

    /// Links change: what is to be done for it.
    pub(super) fn change(&self, links: &[usize], sort: Sort, struck: bool, todo: &mut Todo) {
        let mut requests: Vec<(usize, Request)> = Vec::new();
        for &link in links {
            let held = &self.held[link];
            if self.is_carried(link) {
                todo.cuts.push((link, !held.down.is_empty() || !held.silent.is_empty()));
            }
            match sort {
                Sort::Down => requests.extend(self.carrier(link, !struck)),
                Sort::Silence => {
                    requests.extend(self.attachment(link, !struck));
                    if struck { todo.silenced.push(link) } else { todo.unsilenced.push(link) }
                }
            }
        }
        let turns = sort == Sort::Down;
        let ends = || links.iter().flat_map(|link| self.interfaces_at(*link)).filter(|_| turns);
        if struck {
            todo.steps.extend(ends().map(|(node, at)| Step::Remember(node, self.layout.interfaces[node][at])));
        } else {
            todo.steps.extend(self.answers(ends()));
        }
        // One batch a namespace.
        requests.sort_by_key(|(slot, _)| *slot);
        for group in requests.chunk_by(|a, b| a.0 == b.0) {
            todo.steps.push(Step::Netlink(group[0].0, group.iter().map(|(_, request)| request.clone()).collect()));
        }
        if turns && !struck {
            self.tell(links, todo);
            // Of a neighbour that was first asked for just now.
            todo.steps.extend(self.answers(ends()));
        }
    }

    /// Carrier comes or goes.
    fn carrier(&self, link: usize, up: bool) -> Vec<(usize, Request)> {
        let place = &self.layout.links[link];
        let doing = if up { "bring it up" } else { "take it down" };
        let request =
            |index| Request { message: messages::set_up(index, up), place: format!("link {}", self.links[link]), doing: doing.to_owned() };
        match (place.outer, self.layout.fabric) {
            (Some(outer), Some(fabric)) => outer.map(|index| (fabric, request(index))).into(),
            _ => place.ends.iter().filter(|end| end.bridge.is_some()).map(|end| (end.node, request(end.wire))).collect(),
        }
    }

    /// A port joins its bridge or leaves it. Wires have no ports to leave: the pump cuts them. While a port is out, its bridge
    /// keeps what is meant for the node behind it, so that it can be counted and does not flood the others.
    fn attachment(&self, link: usize, attached: bool) -> Vec<(usize, Request)> {
        if self.is_carried(link) {
            return Vec::new();
        }
        let doing = if attached { "put its port back" } else { "take its port out of the bridge" };
        let mut requests = Vec::new();
        let ends = &self.layout.links[link].ends;
        for (end, other) in [(ends[0], ends[1]), (ends[1], ends[0])] {
            let Some(bridge) = end.bridge else { continue };
            let mut messages = vec![messages::set_bridge(end.index, if attached { bridge } else { 0 })];
            if other.bridge.is_none() {
                let mac = self.nodes[other.node].interfaces[other.interface].mac;
                // Last when the port leaves, first when it comes back: a port that heard its node would learn the address.
                messages.insert(usize::from(!attached), messages::keep_frames_to(mac, bridge, !attached));
            }
            let place = format!("link {}", self.links[link]);
            let request = |message| (end.node, Request { message, place: place.clone(), doing: doing.to_owned() });
            requests.extend(messages.into_iter().map(request));
        }
        requests
    }
}

/// The interfaces of a node upon others, each with the link that its lowest one ends.
fn upon(plan: &Plan, layout: &Layout, node: usize) -> Vec<InterfaceState> {
    let planned = &plan.nodes[node];
    let mut links: BTreeMap<&str, usize> = planned.interfaces.iter().map(|one| (one.name.as_str(), one.link.index())).collect();
    let state = |upper: &usize| {
        let upper = &plan.interfaces[*upper];
        let link = upper.on.first().and_then(|below| links.get(below.as_str())).copied().unwrap_or(0);
        links.insert(&upper.name, link);
        let addresses = upper.addresses.clone();
        InterfaceState { name: upper.name.clone(), link, mac: upper.mac, planned: addresses.clone(), addresses }
    };
    layout.uppers[node].iter().map(state).collect()
}

#[cfg(test)]
mod tests {
    use scn_grammar::scenario::NodeId;

    use super::*;
    use crate::lab::layout::{EndPlace, LinkPlace};

    /// Nodes a and b on the bridge lan (links 0 and 1), and a wire from a to b (link 2).
    fn faults() -> Faults {
        let end = |node, interface, index, bridge| EndPlace { node, interface, index, wire: index, bridge };
        let place = |engine, ends, outer| LinkPlace { engine, ends, outer, fixed: false };
        let layout = Layout {
            slots: ["a", "b", "lan", "fabric"].map(str::to_owned).into(),
            fabric: Some(3),
            bridges: vec![None, None, Some(2)],
            interfaces: vec![vec![3, 7], vec![4, 8], vec![5, 6]],
            uppers: vec![vec![]; 3],
            tags: BTreeMap::new(),
            widths: vec![],
            host: vec![false; 3],
            standing: BTreeSet::new(),
            on_machine: vec![],
            links: vec![
                place(Engine::Direct, [end(0, 0, 3, None), end(2, 0, 5, Some(2))], None),
                place(Engine::Direct, [end(1, 0, 4, None), end(2, 1, 6, Some(2))], None),
                place(Engine::Wire, [end(0, 1, 7, None), end(1, 1, 8, None)], Some([9, 10])),
            ],
        };
        let interface = |name: &str, link, address: &str| {
            let addresses: Vec<Prefix> = address.parse().map(|address| Prefix { address, length: 24 }).into_iter().collect();
            InterfaceState { name: name.into(), link, mac: [2, 0, 0, 0, 0, 1], planned: addresses.clone(), addresses }
        };
        let node = |name: &str, interfaces| NodeState { name: name.into(), interfaces };
        let nodes = vec![
            node("a", vec![interface("eth0", 0, "10.0.0.1"), interface("eth1", 2, "10.1.0.1")]),
            node("b", vec![interface("eth0", 1, "10.0.0.2"), interface("eth1", 2, "10.1.0.2")]),
            node("lan", vec![interface("port0", 0, ""), interface("port1", 1, "")]),
        ];
        Faults {
            layout,
            links: ["a--lan", "b--lan", "wan"].map(str::to_owned).into(),
            held: vec![Held::default(); 3],
            nodes,
            impairments: Impairments::new(vec![Default::default(); 3]),
            partitions: Partitions::default(),
            sources: Vec::new(),
            routes: Routes::default(),
        }
    }

    /// Steps in short: `set SLOT INDEX...`, `await SLOT.INDEX`, `note`, `tell` and `answer SLOT.INDEX`.
    fn short(todo: &Todo) -> Vec<String> {
        let step = |step: &Step| match step {
            Step::Netlink(slot, requests) => format!("set {slot} x{}", requests.len()),
            Step::Replace(slot, _) => format!("replace {slot}"),
            Step::Await(awaited) => format!("await {}.{}{}", awaited.slot, awaited.index, if awaited.port { "p" } else { "" }),
            Step::Announce(from) => format!("tell {}.{}", from.slot, from.index),
            Step::Ask(slot, asked) => format!("ask {slot} x{}", asked.len()),
            Step::Heard(all) => format!("heard x{}", all.len()),
            Step::Remember(slot, index) => format!("note {slot}.{index}"),
            Step::Answer { slot, index, .. } => format!("answer {slot}.{index}"),
        };
        todo.steps.iter().map(step).collect()
    }

    #[test]
    fn a_node_is_struck_at_all_its_links() {
        let mut faults = faults();
        let node = || vec![Target::Node(NodeId(0))];
        let down = faults.plan(&Action::Down(node())).unwrap();
        assert_eq!(short(&down), ["note 0.3", "note 0.7", "note 1.8", "set 2 x1", "set 3 x2"]);
        assert_eq!(down.cuts, [(2, true)]);
        let up = faults.plan(&Action::Up(node())).unwrap();
        assert_eq!(up.cuts, [(2, false)]);
        let known = ["answer 0.3", "answer 0.7", "answer 1.8"];
        let all = ["set 2 x1", "set 3 x2", "await 0.3", "await 2.5p", "await 0.7", "await 1.8", "tell 0.3", "tell 0.7", "tell 1.8"];
        assert_eq!(short(&up), [&known[..], &all, &known].concat());
        assert!(up.warnings.is_empty());
    }

    #[test]
    fn a_link_is_down_while_any_fault_holds_it() {
        let mut faults = faults();
        let (link, node) = (|| vec![Target::Link(LinkId(2))], || vec![Target::Node(NodeId(1))]);
        assert_eq!(short(&faults.plan(&Action::Down(link())).unwrap()), ["note 0.7", "note 1.8", "set 3 x2"]);
        assert_eq!(short(&faults.plan(&Action::Down(node())).unwrap()), ["note 1.4", "set 2 x1"]);
        let up = faults.plan(&Action::Up(node())).unwrap();
        assert_eq!(short(&up), ["answer 1.4", "set 2 x1", "await 1.4", "await 2.6p", "tell 1.4", "answer 1.4"]);
        assert_eq!(up.warnings, ["up b: link wan stays as it is, another fault holds it"]);
        assert_eq!(faults.plan(&Action::Up(link())).unwrap().cuts, [(2, false)]);
        assert_eq!(faults.plan(&Action::Up(link())).unwrap().warnings, ["up wan had no effect: it was so already"]);
    }

    #[test]
    fn a_silent_wire_stays_cut_when_it_comes_up() {
        let mut faults = faults();
        let link = || vec![Target::Interface(NodeId(0), "eth1".into())];
        assert_eq!(faults.plan(&Action::Silence(link())).unwrap().silenced, [2]);
        assert_eq!(faults.plan(&Action::Down(link())).unwrap().cuts, [(2, true)]);
        assert_eq!(faults.plan(&Action::Up(link())).unwrap().cuts, [(2, true)]);
        let end = faults.plan(&Action::Unsilence(link())).unwrap();
        assert_eq!((end.cuts, end.unsilenced), (vec![(2, false)], vec![2]));
    }

    #[test]
    fn a_silent_port_is_not_waited_for() {
        let mut faults = faults();
        let link = || vec![Target::Link(LinkId(0))];
        assert_eq!(short(&faults.plan(&Action::Silence(link())).unwrap()), ["set 2 x2"]);
        faults.plan(&Action::Down(link())).unwrap();
        let up = ["answer 0.3", "set 2 x1", "await 0.3", "await 2.5", "tell 0.3", "answer 0.3"];
        assert_eq!(short(&faults.plan(&Action::Up(link())).unwrap()), up);
    }

    #[test]
    fn a_moved_address_is_announced_where_it_is() {
        let mut faults = faults();
        let prefix = Prefix { address: "10.0.0.1".parse().unwrap(), length: 24 };
        let there = Action::MoveAddress { prefix, from: NodeId(0), to: NodeId(1), interface: None };
        assert_eq!(short(&faults.plan(&there).unwrap()), ["set 0 x1", "set 1 x1", "tell 1.4"]);
        let link = || vec![Target::Link(LinkId(0))];
        faults.plan(&Action::Down(link())).unwrap();
        assert!(!short(&faults.plan(&Action::Up(link())).unwrap()).contains(&"tell 0.3".to_owned()));
        // It comes back though nothing of its subnet is left there.
        let back = Action::MoveAddress { prefix, from: NodeId(1), to: NodeId(0), interface: None };
        assert_eq!(short(&faults.plan(&back).unwrap()), ["set 1 x1", "set 0 x1", "tell 0.3"]);
    }

    #[test]
    fn a_route_that_ends_first_takes_nothing_from_a_later_one() {
        let mut faults = faults();
        let to = Prefix { address: "10.9.0.7".parse().unwrap(), length: 16 };
        let via = |text: &str| Some(text.parse().unwrap());
        let nodes = [NodeId(0)];
        let said = |todo: &Todo| match todo.steps.as_slice() {
            [Step::Netlink(0, requests)] => requests[0].doing.clone(),
            [Step::Replace(0, request)] => request.doing.clone(),
            [] => String::new(),
            other => panic!("{other:?}"),
        };
        assert_eq!(said(&faults.route(&nodes, to, via("10.0.0.2"))), "add the route to 10.9.0.0/16 via 10.0.0.2");
        assert_eq!(said(&faults.route(&nodes, to, via("10.1.0.2"))), "change the route to 10.9.0.0/16 to via 10.1.0.2");
        let same = faults.route(&nodes, to, via("10.1.0.2"));
        assert_eq!((said(&same), same.warnings.len()), (String::new(), 1));
        assert_eq!(said(&faults.unroute(&nodes, to, via("10.0.0.2")).unwrap()), "");
        assert_eq!(said(&faults.route(&nodes, to, None)), "remove the route to 10.9.0.0/16 via 10.1.0.2");
        assert_eq!(said(&faults.unroute(&nodes, to, None).unwrap()), "add the route to 10.9.0.0/16 via 10.1.0.2");
        faults.unroute(&nodes, to, via("10.1.0.2")).unwrap();
        assert_eq!(said(&faults.unroute(&nodes, to, via("10.1.0.2")).unwrap()), "remove the route to 10.9.0.0/16 via 10.1.0.2");
        assert!(faults.unroute(&nodes, to, via("10.1.0.2")).is_err());
    }

    #[test]
    fn a_plain_link_between_nodes_cannot_be_struck() {
        let mut faults = faults();
        faults.layout.links[2].engine = Engine::Direct;
        let refused = faults.plan(&Action::Down(vec![Target::Link(LinkId(2))]));
        assert_eq!(refused.unwrap_err(), LabError::CannotStrike { link: "wan".into() });
    }
}
