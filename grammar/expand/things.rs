//! The table of a scenario's things: which ids each name stands for, and which names are visible where. In: names with their
//! indices. Out: ids. Evaluates nothing and reports nothing.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::source::Span;
use crate::syntax::tree::Indexed;

/// What a name of a scenario can stand for besides a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ThingKind {
    /// A node, router, bridge, host, remote: a [`crate::scenario::NodeId`].
    Node,
    /// A link or tunnel: a [`crate::scenario::LinkId`].
    Link,
    /// A [`crate::scenario::FlowId`].
    Flow,
    /// A [`crate::scenario::ServiceId`].
    Service,
    /// A process under test.
    Process,
    /// A stress.
    Stress,
    /// A [`crate::scenario::EventId`]; of an entry that runs a command, its output too.
    Event,
    /// An instance of a topology; its things are `NAME.thing`. Its ids mean nothing.
    Instance,
}

impl ThingKind {
    /// All that can be the type of a parameter, by the word of the type.
    pub const TYPES: &'static [(&'static str, ThingKind)] = &[
        ("flow", ThingKind::Flow),
        ("node", ThingKind::Node),
        ("link", ThingKind::Link),
        ("service", ThingKind::Service),
        ("process", ThingKind::Process),
        ("event", ThingKind::Event),
        ("stress", ThingKind::Stress),
    ];

    /// With its article.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            ThingKind::Node => "a node",
            ThingKind::Link => "a link",
            ThingKind::Flow => "a flow",
            ThingKind::Service => "a service",
            ThingKind::Process => "a process",
            ThingKind::Stress => "a stress",
            ThingKind::Event => "an event",
            ThingKind::Instance => "an instance of a topology",
        }
    }

    /// Names of other things can stand after its name and a dot.
    fn holds_names(self) -> bool {
        matches!(self, ThingKind::Instance | ThingKind::Event)
    }
}

/// Things that some words stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Things {
    /// What they are.
    pub kind: ThingKind,
    /// Their ids, in the order of their indices; at least one.
    pub ids: Rc<[u32]>,
    /// They were said with `[*]` or a range: several, even if there is only one.
    pub many: bool,
    /// The words in the text.
    pub words: String,
}

/// Which members of a group are meant, one for each indexed word of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// `[7]`.
    One(i64),
    /// `[1..50]`.
    Range(i64, i64),
    /// `[*]`.
    All,
}

impl Pick {
    fn takes(self, index: i64) -> bool {
        match self {
            Pick::One(one) => one == index,
            Pick::Range(first, last) => (first..=last).contains(&index),
            Pick::All => true,
        }
    }
}

/// Everything under one name.
#[derive(Debug)]
pub struct Group {
    /// What they are.
    pub kind: ThingKind,
    /// Where the first of them is declared.
    pub span: Span,
    /// For each word of the name: it takes an index.
    pub indexed: Vec<bool>,
    /// The same as it was declared: what stands for several without an index of its own takes one all the same.
    declared: Vec<bool>,
    /// By their indices; `None`: declared, and wrong, which was reported.
    members: BTreeMap<Vec<i64>, Option<u32>>,
    /// All ids, made when first asked for.
    all: Option<Rc<[u32]>>,
}

/// Why a group has no such members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// Something about the group was wrong and is reported already.
    Reported,
    /// There is no member with this index at this indexed word.
    Index {
        /// Which of the indexed words.
        place: usize,
        /// The index.
        index: i64,
    },
}

impl Group {
    /// The smallest and largest index at an indexed word.
    #[must_use]
    pub fn bounds(&self, place: usize) -> (i64, i64) {
        let indices = || self.members.keys().filter_map(|key| key.get(place).copied());
        (indices().min().unwrap_or(0), indices().max().unwrap_or(0))
    }

    /// Which indices there are at an indexed word, in words.
    #[must_use]
    pub fn there(&self, place: usize) -> String {
        /// More are not listed.
        const LISTED: usize = 10;
        let mut all: Vec<i64> = self.members.keys().filter_map(|key| key.get(place).copied()).collect();
        all.sort_unstable();
        all.dedup();
        match all.as_slice() {
            [one] => format!("there is only {one}"),
            [first, .., last] if last.abs_diff(*first) as usize == all.len() - 1 => format!("goes from {first} to {last}"),
            _ => {
                let listed = all.iter().take(LISTED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
                format!("there are {listed}{}", if all.len() > LISTED { " and more" } else { "" })
            }
        }
    }

    /// The ids of the picked members.
    ///
    /// # Errors
    /// When one of those said is not there.
    pub fn select(&mut self, picks: &[Pick]) -> Result<Rc<[u32]>, Missing> {
        if picks.iter().all(|pick| *pick == Pick::All) {
            if self.all.is_none() {
                self.all = Some(self.members.values().filter_map(|id| *id).collect());
            }
            return self.all.clone().filter(|all| !all.is_empty()).ok_or(Missing::Reported);
        }
        let exact: Option<Vec<i64>> = picks.iter().map(|pick| if let Pick::One(one) = pick { Some(*one) } else { None }).collect();
        if let Some(id) = exact.and_then(|key| self.members.get(&key)) {
            return id.map(|id| Rc::from([id])).ok_or(Missing::Reported);
        }
        let chosen = || self.members.iter().filter(|(key, _)| key.iter().zip(picks).all(|(index, pick)| pick.takes(*index)));
        for (place, pick) in picks.iter().enumerate() {
            let missing = match *pick {
                Pick::All => None,
                Pick::One(one) => (!chosen().any(|(key, _)| key[place] == one)).then_some(one),
                Pick::Range(first, last) => {
                    let mut there: Vec<i64> = chosen().map(|(key, _)| key[place]).collect();
                    there.sort_unstable();
                    there.dedup();
                    (first..=last).zip(there.iter().map(Some).chain(std::iter::repeat(None))).find(|(a, b)| Some(a) != *b).map(|(a, _)| a)
                }
            };
            if let Some(index) = missing {
                let broken = self.members.is_empty() || self.members.values().any(Option::is_none);
                return Err(if broken { Missing::Reported } else { Missing::Index { place, index } });
            }
        }
        let ids: Rc<[u32]> = chosen().filter_map(|(_, id)| *id).collect();
        if ids.is_empty() { Err(Missing::Reported) } else { Ok(ids) }
    }
}

/// Where names are declared and looked up: the scenario, an instance of a topology, a call of an action.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// What stands before the names declared here, without indices: `site.`.
    pub prefix: String,
    /// The same as it is shown: `site[2].`.
    pub shown: String,
    /// For each word of the prefix: it takes an index.
    pub indexed: Vec<bool>,
    /// The indices.
    pub at: Vec<i64>,
    /// Names of the frame around it are visible too.
    pub outer: bool,
}

/// A name that was taken for things.
#[derive(Debug, Clone)]
pub struct Slot {
    pub(super) key: String,
    pub(super) at: Vec<i64>,
    /// The full name as it is shown, without an index of its own: `site.client`.
    pub shown: String,
    /// The indices that were written; `None`: no index.
    pub indices: Option<Vec<i64>>,
}

impl Slot {
    /// The full name of one of them: `site.client[7]`.
    #[must_use]
    pub fn name(&self, index: Option<i64>) -> String {
        index.map_or_else(|| self.shown.clone(), |index| format!("{}[{index}]", self.shown))
    }
}

/// The names of one scenario.
#[derive(Debug)]
pub struct Table {
    groups: BTreeMap<String, Group>,
    frames: Vec<Frame>,
}

impl Default for Table {
    fn default() -> Self {
        Table { groups: BTreeMap::new(), frames: vec![Frame::default()] }
    }
}

impl Table {
    /// The group of a full name without indices.
    #[must_use]
    pub fn group(&self, key: &str) -> Option<&Group> {
        self.groups.get(key)
    }

    /// The same, to select from.
    pub fn group_mut(&mut self, key: &str) -> Option<&mut Group> {
        self.groups.get_mut(key)
    }

    /// The innermost frame.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        // The scenario's own frame is never left.
        self.frames.last().expect("the outermost frame stays")
    }

    /// Enters a frame.
    pub fn enter(&mut self, frame: Frame) {
        self.frames.push(frame);
    }

    /// Leaves the innermost frame.
    pub fn leave(&mut self) {
        if self.frames.len() > 1 {
            self.frames.pop();
        }
    }

    /// The full name of a path's longest beginning that stands for things, how many of its words that takes, and the indices that
    /// its frame fixes.
    #[must_use]
    pub fn locate(&self, parts: &[&str]) -> Option<(String, usize, Vec<i64>)> {
        let first = parts.first()?;
        for frame in self.frames.iter().rev() {
            let mut key = format!("{}{first}", frame.prefix);
            if let Some(mut group) = self.groups.get(&key) {
                let mut used = 1;
                while let Some(next) = parts.get(used).filter(|_| group.kind.holds_names()) {
                    let longer = format!("{key}.{next}");
                    let Some(inner) = self.groups.get(&longer) else { break };
                    (key, group, used) = (longer, inner, used + 1);
                }
                return Some((key, used, frame.at.clone()));
            }
            if !frame.outer {
                return None;
            }
        }
        None
    }

    /// Takes a name in the innermost frame. The outer `Err`: taken since there.
    ///
    /// # Errors
    /// With the place of the first declaration if the name, or one of its indices, is taken.
    pub fn take(&mut self, kind: ThingKind, name: &Indexed, indices: Option<Vec<i64>>) -> Result<Slot, Span> {
        let frame = self.frame();
        let word = name.name.text.as_str();
        let (key, shown, at) = (format!("{}{word}", frame.prefix), format!("{}{word}", frame.shown), frame.at.clone());
        let indexed: Vec<bool> = frame.indexed.iter().copied().chain([indices.is_some()]).collect();
        let group = self.groups.entry(key.clone()).or_insert_with(|| Group {
            kind,
            span: name.name.span,
            indexed: indexed.clone(),
            declared: indexed.clone(),
            members: BTreeMap::new(),
            all: None,
        });
        let full = |index: Option<i64>| -> Vec<i64> { at.iter().copied().chain(index).collect() };
        let wanted: Vec<Vec<i64>> = match &indices {
            None => vec![full(None)],
            Some(indices) => indices.iter().map(|index| full(Some(*index))).collect(),
        };
        if group.kind != kind || group.declared != indexed || wanted.iter().any(|key| group.members.contains_key(key)) {
            return Err(group.span);
        }
        group.members.extend(wanted.into_iter().map(|key| (key, None)));
        Ok(Slot { key, at, shown, indices })
    }

    /// Gives a taken name its ids, `first` and the following: one for each index that was written, or, of a name without an index
    /// that stands for several, one for each of the indices in `replicas`.
    pub fn fill(&mut self, slot: &Slot, first: u32, replicas: Option<&[i64]>) {
        let Some(group) = self.groups.get_mut(&slot.key) else { return };
        group.all = None;
        if replicas.is_some() && slot.indices.is_none() {
            group.members.remove(&slot.at);
            if let Some(last) = group.indexed.last_mut() {
                *last = true;
            }
        }
        match slot.indices.as_deref().or(replicas) {
            None => drop(group.members.insert(slot.at.clone(), Some(first))),
            Some(indices) => {
                for (index, id) in indices.iter().zip(first..) {
                    group.members.insert(slot.at.iter().copied().chain([*index]).collect(), Some(id));
                }
            }
        }
    }

    /// The visible names of things of some kinds, as they are written here.
    #[must_use]
    pub fn visible(&self, wanted: &[ThingKind], under: &str) -> Vec<String> {
        let mut found = Vec::new();
        for frame in self.frames.iter().rev() {
            let start = format!("{}{under}", frame.prefix);
            let below = self.groups.range(start.clone()..).take_while(|(key, _)| key.starts_with(&start));
            for (key, group) in below {
                let word = &key[frame.prefix.len()..];
                if wanted.contains(&group.kind) && (!under.is_empty() || !word.contains('.')) {
                    found.push(word.to_owned());
                }
            }
            if !frame.outer {
                break;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::tree::Name;

    fn named(text: &str) -> Indexed {
        Indexed { name: Name { text: text.into(), span: Span::default(), quoted: false }, index: None, span: Span::default() }
    }

    #[test]
    fn sparse_groups_give_what_is_there() {
        let mut table = Table::default();
        for (id, index) in [(0, 1), (1, 4), (2, 2)] {
            let slot = table.take(ThingKind::Flow, &named("f"), Some(vec![index])).unwrap();
            table.fill(&slot, id, None);
        }
        let (key, used, _) = table.locate(&["f", "loss"]).unwrap();
        assert_eq!((key.as_str(), used), ("f", 1));
        let group = table.group_mut("f").unwrap();
        assert_eq!(*group.select(&[Pick::All]).unwrap(), [0, 2, 1]);
        assert_eq!(*group.select(&[Pick::One(4)]).unwrap(), [1]);
        assert_eq!(*group.select(&[Pick::Range(1, 2)]).unwrap(), [0, 2]);
        assert_eq!(group.select(&[Pick::Range(1, 4)]), Err(Missing::Index { place: 0, index: 3 }));
        assert_eq!(group.there(0), "there are 1, 2, 4");
        assert!(table.take(ThingKind::Flow, &named("f"), Some(vec![4])).is_err());
        assert!(table.take(ThingKind::Node, &named("f"), Some(vec![5])).is_err());
        assert!(table.take(ThingKind::Flow, &named("f"), None).is_err());
    }

    #[test]
    fn instances_hold_names_of_their_own() {
        let mut table = Table::default();
        for site in [1, 2] {
            let slot = table.take(ThingKind::Instance, &named("site"), Some(vec![site])).unwrap();
            table.fill(&slot, 0, None);
            let (prefix, shown) = ("site.".to_owned(), format!("site[{site}]."));
            table.enter(Frame { prefix, shown, indexed: vec![true], at: vec![site], outer: false });
            let hub = table.take(ThingKind::Node, &named("hub"), None).unwrap();
            assert_eq!(hub.name(None), format!("site[{site}].hub"));
            table.fill(&hub, u32::try_from(site).unwrap(), None);
            assert_eq!(table.locate(&["hub"]), Some(("site.hub".to_owned(), 1, vec![site])));
            assert_eq!(table.locate(&["site"]), None);
            table.leave();
        }
        assert_eq!(table.locate(&["hub"]), None);
        assert_eq!(table.locate(&["site", "hub", "eth0"]), Some(("site.hub".to_owned(), 2, vec![])));
        let group = table.group_mut("site.hub").unwrap();
        assert_eq!(*group.select(&[Pick::All]).unwrap(), [1, 2]);
        assert_eq!(*group.select(&[Pick::One(2)]).unwrap(), [2]);
        assert_eq!(table.visible(&[ThingKind::Node], "site."), ["site.hub"]);
    }
}
