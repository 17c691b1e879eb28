//! What neighbours know of each other when links go and come: who tells whom, and who is told. In: the state of links and addresses. Out:
//! steps for the lab's thread. Touches no kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use scn_grammar::scenario::impairment::{Impairment, Loss};

use super::bench::{Awaited, Doubtful, Hearing, Interface, Step};
use super::faults::{Faults, Todo};
use crate::plan::network::Network;
use crate::plan::types::Plan;

impl Faults {
    /// Interfaces of nodes at the ends of a link, with those that stand upon them: node and position.
    pub(super) fn interfaces_at(&self, link: usize) -> impl Iterator<Item = (usize, usize)> {
        let ends = self.layout.links[link].ends.iter().filter(|end| end.bridge.is_none());
        let all = move |node: usize| self.nodes[node].interfaces.iter().enumerate().map(move |(at, interface)| (node, at, interface.link));
        ends.flat_map(move |end| all(end.node)).filter(move |(.., of)| *of == link).map(|(node, at, _)| (node, at))
    }

    /// Interfaces know their neighbours again.
    pub(super) fn answers(&self, interfaces: impl Iterator<Item = (usize, usize)>) -> Vec<Step> {
        let owners = Arc::new(self.owners());
        let answer =
            |(node, at): (usize, usize)| Step::Answer { slot: node, index: self.layout.interfaces[node][at], owners: Arc::clone(&owners) };
        interfaces.map(answer).collect()
    }

    /// Who sends and who passes on asks for the neighbours on the way before the timeline begins: otherwise a flow's first packets would wait
    /// for the answers, and some would be overtaken (RFC 2544, section 23, has addresses learned before a trial for the same reason).
    pub(crate) fn meeting(&self, plan: &Plan) -> Vec<Step> {
        let owners = self.owners();
        let mut wanted: BTreeMap<usize, BTreeSet<IpAddr>> = BTreeMap::new();
        let mut ends = BTreeSet::new();
        for flow in &plan.flows {
            let (from, target) = (flow.from.index(), flow.target.ip());
            let of_client = self.nodes[from].interfaces.iter().flat_map(|one| &one.addresses).map(|prefix| prefix.address);
            let servers = flow.backends.iter().map(|node| node.index()).chain(owners.get(&target).map(|owner| owner.slot));
            servers.for_each(|server| wanted.entry(server).or_default().extend(of_client.clone()));
            wanted.entry(from).or_default().insert(target);
            ends.extend(of_client.chain([target]));
        }
        let forwarding = plan.nodes.iter().enumerate().filter(|(_, node)| node.forwarding).map(|(node, _)| node);
        forwarding.for_each(|node| wanted.entry(node).or_default().extend(&ends));
        let losing = self.losing(plan);
        let (mut asking, mut hearing) = (Vec::new(), Vec::new());
        for (node, mut wanted) in wanted.into_iter().filter(|(node, _)| !self.layout.host[*node]) {
            wanted.extend(plan.nodes[node].routes.iter().map(|route| route.via));
            let wanted = wanted.into_iter().filter(|address| owners.get(address).is_some_and(|owner| owner.slot != node));
            let asked: Vec<(usize, IpAddr)> = wanted.filter_map(|address| Some((self.facing(node, address)?, address))).collect();
            if asked.is_empty() {
                continue;
            }
            let indices = &self.layout.interfaces[node];
            let doubtful = |&(at, address): &(usize, IpAddr)| {
                let interface = &self.nodes[node].interfaces[at];
                let place = format!("{}.{}", self.nodes[node].name, interface.name);
                losing.contains(&interface.link).then_some(Doubtful { index: indices[at], place, address })
            };
            hearing.push(Hearing { slot: node, doubtful: asked.iter().filter_map(doubtful).collect() });
            asking.push(Step::Ask(node, asked.into_iter().map(|(at, address)| (indices[at], address)).collect()));
        }
        asking.extend((!hearing.is_empty()).then_some(Step::Heard(hearing)));
        asking
    }

    /// Links that a frame between neighbours may cross where some are lost from the beginning: those that lose, and those that bridges join to them.
    fn losing(&self, plan: &Plan) -> BTreeSet<usize> {
        let loses = |way: &Impairment| way.loss != Loss::None || way.corrupt_nano > 0;
        let all = plan.links.iter().enumerate().filter(|(_, link)| loses(&link.forward) || loses(&link.back));
        let mut todo: Vec<usize> = all.map(|(link, _)| link).collect();
        let mut found: BTreeSet<usize> = todo.iter().copied().collect();
        while let Some(here) = todo.pop() {
            let bridges = self.layout.links[here].ends.iter().filter(|end| end.bridge.is_some());
            for joined in bridges.flat_map(|end| &self.nodes[end.node].interfaces).map(|interface| interface.link) {
                if found.insert(joined) {
                    todo.push(joined);
                }
            }
        }
        found
    }

    /// The interface of a node in whose subnet an address is: its position.
    fn facing(&self, node: usize, address: IpAddr) -> Option<usize> {
        let interfaces = self.nodes[node].interfaces.iter().enumerate();
        let near = interfaces.flat_map(|(at, interface)| interface.addresses.iter().map(move |prefix| (*prefix, at)));
        near.filter(|(prefix, _)| Network::of(*prefix).contains(address)).max_by_key(|(prefix, _)| prefix.length).map(|(_, at)| at)
    }

    /// Links have come back: wait for both ends, and tell the neighbours.
    pub(super) fn tell(&self, links: &[usize], todo: &mut Todo) {
        let mut announcements = Vec::new();
        for &link in links {
            let silent = !self.held[link].silent.is_empty();
            let ends = &self.layout.links[link].ends;
            for end in ends {
                let place = format!("{}.{}", self.nodes[end.node].name, self.nodes[end.node].interfaces[end.interface].name);
                let port = end.bridge.is_some() && (!silent || self.is_carried(link));
                todo.steps.push(Step::Await(Awaited { slot: end.node, index: end.index, port, place }));
            }
            announcements.extend(self.interfaces_at(link).filter_map(|(node, at)| self.announcement(node, at)));
            if ends.iter().all(|end| end.bridge.is_some()) {
                // Nodes stand on both sides, none at the link itself.
                announcements.extend(self.around(ends[0].node).into_iter().filter_map(|(node, at)| self.announcement(node, at)));
            }
        }
        todo.steps.extend(announcements);
    }

    /// Interfaces of nodes in the broadcast domain of a bridge.
    fn around(&self, bridge: usize) -> Vec<(usize, usize)> {
        let (mut seen, mut todo, mut found) = (BTreeSet::from([bridge]), vec![bridge], BTreeSet::new());
        while let Some(here) = todo.pop() {
            for interface in &self.nodes[here].interfaces {
                for end in &self.layout.links[interface.link].ends {
                    if end.bridge.is_none() {
                        found.insert((end.node, end.interface));
                    } else if seen.insert(end.node) {
                        todo.push(end.node);
                    }
                }
            }
        }
        found.into_iter().collect()
    }

    /// Who has which address now, of those that can answer.
    fn owners(&self) -> BTreeMap<IpAddr, Interface> {
        let places = self.nodes.iter().enumerate().flat_map(|(node, state)| (0..state.interfaces.len()).map(move |at| (node, at)));
        let places = places.filter(|(node, at)| self.held[self.nodes[*node].interfaces[*at].link].down.is_empty());
        let speakers = places.filter_map(|(node, at)| self.speaker(node, at));
        speakers.flat_map(|speaker| speaker.addresses.clone().into_iter().map(move |address| (address, speaker.clone()))).collect()
    }

    /// An interface with all its addresses; `None`: it has none.
    fn speaker(&self, node: usize, at: usize) -> Option<Interface> {
        let interface = &self.nodes[node].interfaces[at];
        let addresses: Vec<IpAddr> = interface.addresses.iter().map(|prefix| prefix.address).collect();
        let (index, place) = (self.layout.interfaces[node][at], self.nodes[node].name.clone());
        (!addresses.is_empty()).then_some(Interface { slot: node, index, mac: interface.mac, addresses, place })
    }

    fn announcement(&self, node: usize, at: usize) -> Option<Step> {
        self.speaker(node, at).map(Step::Announce)
    }

    /// One address only, which has just come.
    pub(super) fn announcement_of(&self, node: usize, at: usize, address: IpAddr) -> Option<Step> {
        self.speaker(node, at).map(|speaker| Step::Announce(Interface { addresses: vec![address], ..speaker }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::layout::Layout;
    use crate::lab::machine::Machine;
    use crate::plan::sample;

    #[test]
    fn who_sends_and_who_passes_on_asks_beforehand() {
        let net =
            "bridge lan\nnode a, b, c, s\nrouter r\nlink a 10.0.0.1/24 <-> lan\nlink b 10.0.0.2/24 <-> lan\nlink c 10.0.0.3/24 <-> lan
            link r 10.0.0.254/24 <-> lan\nlink r 10.9.0.254/24 <-> s 10.9.0.1/24";
        let plan =
            sample::plan(&format!("topology {{ {net} }}\nflow f from a to s {{ total 1 }}\nexpect {{ f.transactions == 1 }}")).unwrap();
        let faults = Faults::new(&plan, Layout::of(&plan, &Machine::default()).unwrap());
        let asked = |step: &Step| match step {
            Step::Ask(slot, asked) => {
                let addresses: Vec<String> = asked.iter().map(|(_, address)| address.to_string()).collect();
                Some((plan.nodes[*slot].name.clone(), addresses.join(" ")))
            }
            _ => None,
        };
        let found: Vec<(String, String)> = faults.meeting(&plan).iter().filter_map(asked).collect();
        let wanted = [("a", "10.0.0.254"), ("s", "10.9.0.254"), ("r", "10.0.0.1 10.9.0.1")];
        assert_eq!(found, wanted.map(|(node, addresses)| (node.to_owned(), addresses.to_owned())));
    }

    #[test]
    fn what_is_asked_over_links_that_lose_is_doubtful_and_told() {
        let net = "bridge lan\nnode a, s\nrouter r\nlink a 10.0.0.1/24 <-> lan { loss 50% }
            link r 10.0.0.254/24 <-> lan\nlink r 10.9.0.254/24 <-> s 10.9.0.1/24";
        let plan =
            sample::plan(&format!("topology {{ {net} }}\nflow f from a to s {{ total 1 }}\nexpect {{ f.transactions == 1 }}")).unwrap();
        let faults = Faults::new(&plan, Layout::of(&plan, &Machine::default()).unwrap());
        let steps = faults.meeting(&plan);
        let Some(Step::Heard(hearing)) = steps.last() else { panic!("{steps:?}") };
        assert_eq!(hearing.len(), 3, "all are waited for");
        let doubtful: Vec<&Doubtful> = hearing.iter().flat_map(|one| &one.doubtful).collect();
        // Between the bridge and the router nothing is lost, but what the router asks goes on to where it is.
        let found: Vec<String> = doubtful.iter().map(|one| format!("{} {}", one.place, one.address)).collect();
        assert_eq!(found, ["a.eth0 10.0.0.254", "r.eth0 10.0.0.1"]);
        let told = doubtful[0].unanswered();
        assert!(told.starts_with("no answer to ARP for 10.0.0.254 came to a.eth0 within 3 s, over links that lose"), "{told}");
    }
}
