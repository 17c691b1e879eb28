//! What neighbours know of each other when links go and come: who tells whom, and who is told. In: the state of links and addresses. Out:
//! steps for the lab's thread. Touches no kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::bench::{Awaited, Interface, Step};
use super::faults::{Faults, Todo};

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

    /// Links have come back: wait for both ends, and tell the neighbours.
    pub(super) fn tell(&self, links: &[usize], todo: &mut Todo) {
        let mut announcements = Vec::new();
        for &link in links {
            let silent = !self.held[link].silent.is_empty();
            let ends = &self.layout.links[link].ends;
            for end in ends {
                let place = format!("{}.{}", self.nodes[end.node].name, self.nodes[end.node].interfaces[end.interface].name);
                let port = end.bridge.is_some() && (!silent || self.is_wire(link));
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
