//! Names of things: declared, looked up, and what is wrong with them said. In: names and paths of the tree. Out: ids. The table is
//! in `things`; makes no thing itself.

use std::rc::Rc;

use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{Binding, Scope};
use super::things::{Frame, Missing, Pick, Slot, ThingKind, Things};
use super::value::{Value, article};
use crate::quantity::Dimension;
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::NodeId;
use crate::source::Span;
use crate::syntax::tree::{Expr, ExprKind, Index, Indexed, Name, NodePath};

/// What a path of words stands for: nodes, perhaps with an interface of each.
#[derive(Debug, Clone)]
pub struct Point {
    /// The nodes, at least one.
    pub nodes: Vec<NodeId>,
    /// It was said with `[*]` or a range.
    pub many: bool,
    /// The interface that follows the node.
    pub interface: Option<Name>,
}

/// The node ids of things that are nodes.
fn node_ids(things: &Things) -> Vec<NodeId> {
    things.ids.iter().copied().map(NodeId).collect()
}

impl Draft<'_, '_> {
    /// Takes a name for things, with the indices it is written with (at most `limit`). Give it its ids with [`Draft::define`]; a
    /// name that never gets them counts as wrong and reported. `None`: taken, or an index is wrong, which was reported.
    pub fn declare(&mut self, kind: ThingKind, name: &Indexed, limit: u64) -> Option<Slot> {
        let indices = self.written_indices(name, kind, limit);
        let (text, span) = (&name.name.text, name.name.span);
        if let Some(first) = self.taken(text) {
            self.context.raise(ResolveError::Redefined { name: text.clone(), span, first });
            // Nobody calls it unknown afterwards.
            let _ = self.context.things.take(kind, name, name.index.as_ref().map(|_| Vec::new()));
            return None;
        }
        // What is declared with a wrong index is declared all the same, so that nobody calls it unknown.
        let wrong = indices.is_none();
        let indices = indices.unwrap_or_else(|| Some(Vec::new()));
        match self.context.things.take(kind, name, indices) {
            Ok(slot) => (!wrong).then_some(slot),
            Err(first) => {
                let index = if first == span && name.index.is_none() { self.loop_name() } else { None };
                let name = self.context.words(name.span);
                self.context.raise(match index {
                    Some(index) => ResolveError::RepeatedInLoop { name, span, index },
                    None => ResolveError::Redefined { name, span, first },
                });
                None
            }
        }
    }

    /// The name of the innermost loop that counts.
    fn loop_name(&self) -> Option<String> {
        let loops = self.scope.layers.iter().skip(1).rev().filter(|layer| layer.len() == 1);
        let mut counts = loops.flat_map(|layer| layer.iter()).filter(|(_, binding)| match &binding.value {
            Some(Value::Quantity(value)) => value.dimension == Dimension::Count,
            _ => false,
        });
        counts.next().map(|(name, _)| name.clone())
    }

    /// Reports loops around parts of the scenario whose names are those of things. Their values are not known from then on.
    pub(super) fn check_loops<P>(&mut self, parts: &mut [(P, Scope)]) {
        for (_, scope) in parts {
            for layer in scope.layers.iter_mut().skip(1) {
                let clash = |(name, binding): (&String, &Binding)| {
                    let first = self.context.things.group(name)?.span;
                    binding.value.is_some().then(|| (name.clone(), binding.span, first))
                };
                let Some((name, span, first)) = layer.iter().find_map(clash) else { continue };
                self.context.raise(ResolveError::Redefined { name: name.clone(), span, first });
                if let Some(binding) = Rc::make_mut(layer).get_mut(&name) {
                    binding.value = None;
                }
            }
        }
    }

    /// Gives a declared name its ids: `first` and the following, one for each index it is written with.
    pub fn define(&mut self, slot: &Slot, first: u32) {
        self.context.things.fill(slot, first, None);
    }

    /// Gives a name without an index the ids of several, `first` and the following, one for each of these indices.
    pub fn define_many(&mut self, slot: &Slot, first: u32, indices: &[i64]) {
        self.context.things.fill(slot, first, Some(indices));
    }

    /// Where a name was introduced that things can't take. A thing may have the name of a pattern: they never stand at one place.
    fn taken(&self, name: &str) -> Option<Span> {
        if let Some(binding) = self.scope.find(self.context, name) {
            return Some(binding.span);
        }
        if self.scope.inside
            && !self.context.local.patterns.contains_key(name)
            && let Some((span, ..)) = self.context.local.place(name)
        {
            return Some(span);
        }
        let module = self.context.modules.get(self.scope.module)?;
        if module.declarations.patterns.contains_key(name) { None } else { module.place(name) }
    }

    /// The indices of a declaration `name[1..50]`. The inner `None`: no index.
    fn written_indices(&mut self, name: &Indexed, kind: ThingKind, limit: u64) -> Option<Option<Vec<i64>>> {
        let bounds = (0, i64::from(u32::MAX));
        let (first, last) = match &name.index {
            None => return Some(None),
            Some(Index::All) => {
                let form = "say how many: `client[1..50]`".to_owned();
                self.context.raise(ExpandError::OptionForm { name: "[*]".into(), form, span: name.span });
                return None;
            }
            Some(Index::One(expr)) => {
                let one = self.context.bounded("an index", expr, Dimension::Count, bounds, &self.scope)?;
                (one, one)
            }
            Some(Index::Range(first, last)) => {
                let low = self.context.bounded("an index", first, Dimension::Count, bounds, &self.scope);
                let high = self.context.bounded("an index", last, Dimension::Count, bounds, &self.scope);
                (low?, high?)
            }
        };
        if first > last {
            self.context.raise(ExpandError::BackwardRange { first: first.to_string(), last: last.to_string(), span: name.span });
            return None;
        }
        let count = last - first + 1;
        if count > limit && limit == 1 {
            let word = ThingKind::TYPES.iter().find(|(_, known)| *known == kind).map_or("topology", |(word, _)| word);
            let form = format!("for i in {first}..{last} {{ {word} {}[i] ... }}", name.name.text);
            let name_words = self.context.words(name.span);
            self.context.raise(ExpandError::OptionForm { name: name_words, form, span: name.span });
            return None;
        }
        if count > limit {
            let what = match kind {
                ThingKind::Node => "nodes",
                ThingKind::Link => "links",
                ThingKind::Flow => "flows",
                _ => "things of one name",
            };
            self.context.raise(ExpandError::TooLarge { what, count, limit, span: name.span });
            return None;
        }
        let index = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        Some(Some((first..=last).map(index).collect()))
    }

    /// The longest beginning of a path that stands for things, and the words after it. Reports an index that is wrong, and a name
    /// that nothing has as one of `wanted`.
    fn find(&mut self, parts: &[Indexed], wanted: &[ThingKind], what: &str) -> Option<(Things, usize, Span)> {
        let (first, whole) = (parts.first()?, parts.last()?);
        let mut words: Vec<&str> = parts.iter().map(|part| part.name.text.as_str()).collect();
        let mut bound = None;
        match self.scope.find(self.context, words[0]).map(|binding| (binding.value.clone(), binding.span)) {
            Some((Some(Value::Things(things)), declared)) => {
                if first.index.is_some() {
                    let name = first.name.text.clone();
                    self.context.raise(ResolveError::NotReplicated { name, span: first.span, declared });
                    return None;
                }
                self.context.refer(first.name.span, declared, things.kind.words(), None);
                return Some((things, 1, declared));
            }
            // A word of a matrix stands for what is called so.
            Some((Some(Value::Word(word)), _)) => bound = Some(word),
            Some((None, _)) => return None,
            _ => {}
        }
        if let Some(word) = &bound {
            words[0] = word;
        }
        let Some((key, used, at)) = self.context.things.locate(&words) else {
            self.unknown(parts, 0, wanted, what);
            return None;
        };
        let group = self.context.things.group(&key)?;
        let (kind, declared) = (group.kind, group.span);
        if kind == ThingKind::Instance && used < parts.len() && !wanted.contains(&kind) {
            self.unknown(parts, used, wanted, what);
            return None;
        }
        let span = first.span.to(parts.get(used - 1).unwrap_or(whole).span);
        self.refer_words(&parts[..used], &key);
        let (ids, many) = self.members(&key, &parts[..used], &at)?;
        let words = self.context.words(span);
        Some((Things { kind, ids, many, words }, used, declared))
    }

    /// Notes where each word of a full name is declared.
    fn refer_words(&mut self, parts: &[Indexed], key: &str) {
        if self.context.references.is_none() {
            return;
        }
        let mut end = key.len();
        for part in parts.iter().rev() {
            let Some(group) = self.context.things.group(&key[..end]) else { return };
            let (declared, what) = (group.span, group.kind.words());
            self.context.refer(part.name.span, declared, what, None);
            end = key[..end].rfind('.').unwrap_or(0);
        }
    }

    /// The ids that the words of a group's name, with their indices, pick; the flag: with `[*]` or a range.
    fn members(&mut self, key: &str, parts: &[Indexed], at: &[i64]) -> Option<(Rc<[u32]>, bool)> {
        let group = self.context.things.group(key)?;
        let (declared, indexed) = (group.span, group.indexed.clone());
        let mut picks: Vec<Pick> = at.iter().map(|index| Pick::One(*index)).collect();
        let fixed = indexed.len().saturating_sub(parts.len());
        let mut many = false;
        let mut places = Vec::new();
        for (part, takes) in parts.iter().zip(&indexed[fixed..]) {
            let name = || part.name.text.clone();
            match (&part.index, takes) {
                (None, false) => continue,
                (None, true) => {
                    let (first, last) = self.context.things.group(key)?.bounds(picks.len());
                    self.context.raise(ResolveError::NeedsIndex { name: name(), span: part.span, first, last });
                    return None;
                }
                (Some(_), false) => {
                    self.context.raise(ResolveError::NotReplicated { name: name(), span: part.span, declared });
                    return None;
                }
                (Some(Index::All), true) => {
                    many = true;
                    picks.push(Pick::All);
                }
                (Some(Index::One(expr)), true) => picks.push(Pick::One(self.context.base_units(expr, Dimension::Count, &self.scope)?)),
                (Some(Index::Range(from, to)), true) => {
                    many = true;
                    let first = self.context.base_units(from, Dimension::Count, &self.scope);
                    let last = self.context.base_units(to, Dimension::Count, &self.scope);
                    let (first, last) = (first?, last?);
                    if first > last {
                        let (a, b) = (first.to_string(), last.to_string());
                        self.context.raise(ExpandError::BackwardRange { first: a, last: b, span: part.span });
                        return None;
                    }
                    picks.push(Pick::Range(first, last));
                }
            }
            places.push(part);
        }
        match self.context.things.group_mut(key)?.select(&picks) {
            Ok(ids) => Some((ids, many)),
            Err(Missing::Reported) => None,
            Err(Missing::Index { place, index }) => {
                let part = places.get(place.checked_sub(at.len())?)?;
                let there = self.context.things.group(key)?.there(place);
                let span = if let Some(Index::One(expr)) = &part.index { expr.span } else { part.span };
                self.context.raise(ResolveError::IndexOutOfRange { name: part.name.text.clone(), index, there, span, declared });
                None
            }
        }
    }

    /// Reports a name that nothing has. `known` words before it are known.
    fn unknown(&mut self, parts: &[Indexed], known: usize, wanted: &[ThingKind], what: &str) {
        let Some(part) = parts.get(known).or(parts.last()) else { return };
        let before: String = parts[..known].iter().map(|part| format!("{}.", part.name.text)).collect();
        let (name, span) = (format!("{before}{}", part.name.text), part.name.span);
        let what = what.to_owned();
        let mut visible = self.context.things.visible(wanted, &before);
        // What ends flows or runs something is no bridge.
        if wanted.contains(&ThingKind::Service) || wanted.contains(&ThingKind::Process) {
            visible.retain(|name| self.scenario.topology.nodes.iter().all(|node| node.name != **name || !node.kind.is_bridge()));
        }
        let help = suggest(&name, visible.iter().map(String::as_str));
        self.context.raise(match wanted {
            [ThingKind::Node] => ResolveError::UnknownNode { name, span, help },
            [ThingKind::Flow] => ResolveError::UnknownFlow { name, span, help },
            [ThingKind::Event] => ResolveError::UnknownEvent { name, span, help },
            _ if wanted.contains(&ThingKind::Flow) => ResolveError::UnknownStartable { what, name, span, help },
            [ThingKind::Node, ..] if wanted.contains(&ThingKind::Service) => ResolveError::UnknownDestination { what, name, span, help },
            _ => ResolveError::UnknownTarget { what, name, span, help },
        });
    }

    /// The things that a whole path stands for, which must be of one of the wanted kinds. `what` names these kinds without an
    /// article: `node or link`.
    pub fn things_of(&mut self, parts: &[Indexed], wanted: &[ThingKind], what: &str) -> Option<Things> {
        let (things, used, declared) = self.find(parts, wanted, what)?;
        if !wanted.contains(&things.kind) {
            self.wrong_kind(&things, parts, what, declared);
            return None;
        }
        if used < parts.len() {
            self.unknown(parts, used, wanted, what);
            return None;
        }
        Some(things)
    }

    fn wrong_kind(&mut self, things: &Things, parts: &[Indexed], what: &str, declared: Span) {
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return };
        let (name, is, wanted) = (things.words.clone(), things.kind.words(), article(what));
        self.context.raise(ResolveError::WrongKind { name, is, wanted, span: first.span.to(last.span), declared });
    }

    /// The things at the head of a path and the words after them: `site.wan.dropped`, `f[*].loss`.
    pub fn thing_and_rest<'p>(&mut self, parts: &'p [Indexed], wanted: &[ThingKind], what: &str) -> Option<(Things, &'p [Indexed])> {
        let (things, used, declared) = self.find(parts, wanted, what)?;
        if !wanted.contains(&things.kind) {
            self.wrong_kind(&things, parts, what, declared);
            return None;
        }
        Some((things, &parts[used..]))
    }

    /// The kind of thing that the head of a path stands for, if any; reports nothing.
    #[must_use]
    pub fn thing_kind(&self, parts: &[Indexed]) -> Option<ThingKind> {
        let first = parts.first()?;
        let mut words: Vec<&str> = parts.iter().map(|part| part.name.text.as_str()).collect();
        match self.scope.find(self.context, &first.name.text).map(|binding| &binding.value) {
            Some(Some(Value::Things(things))) => return Some(things.kind),
            Some(Some(Value::Word(word))) => words[0] = word,
            Some(_) => return None,
            None => {}
        }
        let (key, ..) = self.context.things.locate(&words)?;
        Some(self.context.things.group(&key)?.kind)
    }

    /// Nodes, perhaps with an interface of each: a word after a node is an interface.
    pub fn point_of(&mut self, path: &NodePath) -> Option<Point> {
        let (things, rest) = self.thing_and_rest(&path.parts, &[ThingKind::Node], "node")?;
        let interface = match rest {
            [] => None,
            [interface] => {
                if interface.index.is_some() {
                    let (name, declared) = (interface.name.text.clone(), path.span);
                    self.context.raise(ResolveError::NotReplicated { name, span: interface.span, declared });
                    return None;
                }
                Some(interface.name.clone())
            }
            [first, ..] => {
                self.context.raise(ResolveError::UnknownNode { name: self.context.words(path.span), span: first.span, help: None });
                return None;
            }
        };
        Some(Point { nodes: node_ids(&things), many: things.many, interface })
    }

    /// The nodes that a path stands for; the flag: it was said with `[*]` or a range.
    pub fn nodes_of(&mut self, path: &NodePath) -> Option<(Vec<NodeId>, bool)> {
        let things = self.things_of(&path.parts, &[ThingKind::Node], "node")?;
        Some((node_ids(&things), things.many))
    }

    /// The one node that a path stands for.
    pub fn node_of(&mut self, path: &NodePath) -> Option<NodeId> {
        let (nodes, many) = self.nodes_of(path)?;
        match nodes.as_slice() {
            [one] if !many => Some(*one),
            _ => {
                self.context.raise(ResolveError::OnlyOne { name: self.context.words(path.span), span: path.span });
                None
            }
        }
    }

    /// The things that an expression names, for operands of verbs and arguments. `Err`: not a name at all, nothing reported.
    pub(super) fn things_in(&mut self, expr: &Expr, wanted: &[ThingKind], what: &str) -> Result<Option<Things>, ()> {
        match &super::evaluate::bare(expr).kind {
            ExprKind::Path(parts) => Ok(self.things_of(parts, wanted, what)),
            ExprKind::Broken => Ok(None),
            _ => Err(()),
        }
    }

    /// Does something with a frame of names entered: an instance of a topology, a call of an action.
    pub fn in_frame<R>(&mut self, frame: Frame, run: impl FnOnce(&mut Self) -> R) -> R {
        self.context.things.enter(frame);
        let result = run(self);
        self.context.things.leave();
        result
    }
}
