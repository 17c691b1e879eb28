//! Where the packets of a link, a node or an interface are seen. In: a plan with its layout, targets. Out: wires, and interfaces by namespace and
//! index, each once. Opens nothing.

use std::collections::BTreeMap;

use scn_grammar::scenario::timeline::Target;

use crate::lab::layout::Layout;
use crate::plan::types::{Engine, Plan};

/// An interface to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its namespace.
    pub(crate) slot: usize,
    pub(crate) index: u32,
    /// Only what it sends: it stands for one end of a link.
    pub(crate) only_sent: bool,
    /// `client.eth0`.
    pub(crate) name: String,
    /// Whose packets, in words.
    pub(crate) about: String,
}

/// A wire, whose pump tells what it sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WirePlace {
    /// The link's position in the plan.
    pub(crate) link: usize,
    /// Names of its ends, and words about them.
    pub(crate) ends: [(String, String); 2],
}

/// What a capture reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Wanted {
    /// In words: `link wan, node b`.
    pub(crate) words: String,
    pub(crate) wires: Vec<WirePlace>,
    pub(crate) places: Vec<Place>,
}

/// Every link and interface of a plan.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// By link: its name, the wire if it is one, its ends otherwise.
    links: Vec<(String, Option<WirePlace>, [Place; 2])>,
    /// By node: its name, and the interfaces of its links.
    nodes: Vec<(String, Vec<Place>)>,
    /// By node and name, those upon others too.
    interfaces: BTreeMap<(usize, String), Place>,
}

impl Places {
    pub(crate) fn of(plan: &Plan, layout: &Layout) -> Self {
        let place = |node: usize, index, interface: &str, about: String| {
            let name = format!("{}.{interface}", plan.nodes[node].name);
            Place { slot: node, index, only_sent: false, name, about }
        };
        let mut nodes = Vec::new();
        let mut interfaces = BTreeMap::new();
        for (node, planned) in plan.nodes.iter().enumerate() {
            let links = planned.interfaces.iter().map(|interface| interface.name.clone());
            let uppers = layout.uppers[node].iter().map(|upper| plan.interfaces[*upper].name.clone());
            let named: Vec<(String, Place)> = links
                .chain(uppers)
                .zip(&layout.interfaces[node])
                .map(|(name, index)| (name.clone(), place(node, *index, &name, format!("interface {name} of {}", planned.name))))
                .collect();
            let of_links = named.iter().take(planned.interfaces.len()).map(|(_, place)| place.clone()).collect();
            nodes.push((planned.name.clone(), of_links));
            interfaces.extend(named.into_iter().map(|(name, place)| ((node, name), place)));
        }
        let link = |(at, planned): (usize, &crate::plan::types::PlannedLink)| {
            let stands = &layout.links[at];
            let end = |end: usize| {
                let (here, there) = (stands.ends[end], stands.ends[1 - end]);
                let name = |place: crate::lab::layout::EndPlace| plan.nodes[place.node].interfaces[place.interface].name.clone();
                let about = format!("link {}: from {} to {}", planned.name, plan.nodes[here.node].name, plan.nodes[there.node].name);
                Place { only_sent: true, ..place(here.node, here.wire, &name(here), about) }
            };
            let ends = [end(0), end(1)];
            let is_wire = stands.engine == Engine::Wire && stands.outer.is_some();
            let wire = is_wire.then(|| WirePlace { link: at, ends: ends.clone().map(|place| (place.name, place.about)) });
            (planned.name.clone(), wire, ends)
        };
        Places { links: plan.links.iter().enumerate().map(link).collect(), nodes, interfaces }
    }

    /// How many links there are.
    pub(crate) fn links(&self) -> usize {
        self.links.len()
    }

    /// What is to be read for some targets.
    pub(crate) fn wanted(&self, targets: &[Target]) -> Wanted {
        let mut wanted = Wanted::default();
        let mut words = Vec::new();
        for target in targets {
            match target {
                Target::Link(link) => {
                    let (name, wire, ends) = &self.links[link.index()];
                    words.push(format!("link {name}"));
                    match wire {
                        Some(wire) => wanted.wires.push(wire.clone()),
                        None => wanted.places.extend(ends.iter().cloned()),
                    }
                }
                Target::Node(node) => {
                    let (name, places) = &self.nodes[node.index()];
                    words.push(format!("node {name}"));
                    wanted.places.extend(places.iter().cloned());
                }
                Target::Interface(node, name) => {
                    words.push(format!("interface {}.{name}", self.nodes[node.index()].0));
                    wanted.places.extend(self.interfaces.get(&(node.index(), name.clone())).cloned());
                }
            }
        }
        words.dedup();
        wanted.words = words.join(", ");
        wanted.wires.sort_by_key(|wire| wire.link);
        wanted.wires.dedup();
        // What an interface sends and receives holds what it sends.
        wanted.places.sort_by_key(|place| (place.slot, place.index, place.only_sent));
        wanted.places.dedup_by_key(|place| (place.slot, place.index));
        wanted
    }
}
