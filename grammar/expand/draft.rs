//! A scenario while it is being expanded: what is there so far and by which names. In: a declaration. Out: a [`Scenario`].
//! The parts have files of their own.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use super::error::ExpandError;
use super::evaluate::{Binding, Names, Scope};
use super::lints::Shape;
use super::patterns::Instances;
use super::value::Value;
use super::{Context, DEFAULT_TIMEOUT_NS, DEFAULT_TOLERANCE_NS};
use crate::quantity::{BILLION, Dimension};
use crate::resolve::{PatternRef, ResolveError, ScenarioRef};
use crate::scenario::topology::Topology;
use crate::scenario::{EventId, Scenario, ServiceId};
use crate::source::Span;
use crate::syntax::tree::{Expr, Index, Indexed, ItemKind, Name, ScenarioDecl, ScenarioPart, plain};

/// One or several things under one name: positions from `first` on.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// Position of the first.
    pub first: u32,
    /// First and last index; `None`: only one, without an index.
    pub range: Option<(i64, i64)>,
    /// Where it is declared.
    pub span: Span,
}

/// A scenario being expanded.
pub struct Draft<'c, 'a> {
    /// What all scenarios share.
    pub context: &'c mut Context<'a>,
    /// Where expressions look names up: one layer, the scenario's own.
    pub scope: Scope,
    /// Patterns declared inside.
    pub patterns: BTreeMap<&'a str, PatternRef<'a>>,
    /// Patterns filled in so far.
    pub instances: Instances,
    /// Nodes by name.
    pub node_groups: BTreeMap<String, Group>,
    /// Links by name.
    pub link_groups: BTreeMap<String, Group>,
    /// Services by name.
    pub service_ids: BTreeMap<String, ServiceId>,
    /// Flows by name.
    pub flow_groups: BTreeMap<String, Group>,
    /// Events by name.
    pub event_ids: BTreeMap<String, EventId>,
    /// Conditions so far, for the check of contradictions.
    pub shapes: Vec<Shape>,
    /// Measured values in conditions so far.
    pub measured_values: u64,
    /// Bytes that the patterns of flows take so far.
    pub pattern_bytes: u64,
    /// Result.
    pub scenario: Scenario,
}

impl<'c, 'a> Draft<'c, 'a> {
    /// An empty scenario.
    pub fn new(context: &'c mut Context<'a>, module: usize, declared: &ScenarioRef<'a>) -> Self {
        let scenario = Scenario {
            name: declared.declaration.name.text.clone(),
            doc: declared.doc.join("\n"),
            tags: Vec::new(),
            file: context.sources.get(declared.span.file).name.clone(),
            span: declared.span,
            params: Vec::new(),
            timeout_ns: DEFAULT_TIMEOUT_NS,
            timeout_said: false,
            tolerance_ns: DEFAULT_TOLERANCE_NS,
            topology: Topology::default(),
            services: Vec::new(),
            flows: Vec::new(),
            events: Vec::new(),
            timeline: Vec::new(),
            expectations: Vec::new(),
        };
        Draft {
            context,
            scope: Scope { module, layers: vec![Rc::new(Names::new())] },
            patterns: BTreeMap::new(),
            instances: Instances::default(),
            node_groups: BTreeMap::new(),
            link_groups: BTreeMap::new(),
            service_ids: BTreeMap::new(),
            flow_groups: BTreeMap::new(),
            event_ids: BTreeMap::new(),
            shapes: Vec::new(),
            measured_values: 0,
            pattern_bytes: 0,
            scenario,
        }
    }

    /// Tags, settings, parameters, values and patterns.
    pub fn head(&mut self, declaration: &'a ScenarioDecl) {
        let mut settings: BTreeMap<&str, Span> = BTreeMap::new();
        let mut tags: BTreeMap<&str, Span> = BTreeMap::new();
        for part in plain(&declaration.body) {
            match part {
                ScenarioPart::Tags(names) => {
                    for tag in names {
                        if let Some(first) = tags.insert(&tag.text, tag.span) {
                            self.context.raise(ExpandError::OptionTwice { name: tag.text.clone(), span: tag.span, first });
                        } else {
                            self.scenario.tags.push(tag.text.clone());
                        }
                    }
                }
                ScenarioPart::Setting { name, value } => {
                    if let Some(first) = settings.insert(&name.text, name.span) {
                        self.context.raise(ExpandError::OptionTwice { name: name.text.clone(), span: name.span, first });
                    }
                    self.setting(name, value);
                }
                ScenarioPart::Param(param) => self.param(param),
                ScenarioPart::Item(item) => match &item.kind {
                    ItemKind::Let { name, value } => {
                        let value = self.context.evaluate(value, &self.scope);
                        self.introduce(&name.text, name.span, Ok(value));
                    }
                    ItemKind::Pattern(pattern) => {
                        let name = &pattern.name;
                        let first = self.patterns.get(name.text.as_str()).map(|p| p.declaration.name.span);
                        let first = first.or_else(|| self.module_place(&name.text));
                        if let Some(first) = first {
                            self.context.raise(ResolveError::Redefined { name: name.text.clone(), span: name.span, first });
                        } else {
                            self.patterns.insert(&name.text, PatternRef { declaration: pattern, module: self.scope.module });
                        }
                    }
                    ItemKind::Use(_) | ItemKind::Scenario(_) => {}
                    _ => self.not_yet("this declaration", item.span),
                },
                _ => {}
            }
        }
    }

    /// Reports what this version has not.
    pub(super) fn not_yet(&mut self, what: &str, span: Span) {
        self.context.raise(ExpandError::NotInThisVersion { what: what.into(), span });
    }

    fn setting(&mut self, name: &Name, value: &Expr) {
        match name.text.as_str() {
            "timeout" => {
                if let Some(ns) = self.context.duration("`timeout`", value, 1_000_000, &self.scope) {
                    self.scenario.timeout_ns = ns;
                    self.scenario.timeout_said = true;
                }
            }
            "tolerance" => {
                let bounds = (1_000, 10 * BILLION);
                if let Some(ns) = self.context.bounded("`tolerance`", value, Dimension::Duration, bounds, &self.scope) {
                    self.scenario.tolerance_ns = ns;
                }
            }
            _ => {
                let help = crate::resolve::suggest::suggest(&name.text, ["timeout", "tolerance"].into_iter());
                self.context.raise(ResolveError::UnknownOption { what: "a scenario", name: name.text.clone(), span: name.span, help });
            }
        }
    }

    /// Where the file introduces a name, if it does.
    fn module_place(&self, name: &str) -> Option<Span> {
        self.context.modules.get(self.scope.module)?.place(name)
    }

    /// Takes a name of the scenario, or says that it is taken.
    pub fn introduce(&mut self, name: &str, span: Span, value: Result<Option<Value>, &'static str>) -> bool {
        let module = self.context.modules.get(self.scope.module);
        let is_pattern = module.is_some_and(|m| m.patterns.contains_key(name));
        let outer = if is_pattern && value.is_err() { None } else { self.module_place(name) };
        let Some(layer) = self.scope.layers.first_mut() else { return false };
        if let Some(first) = layer.get(name).map(|b| b.span).or(outer) {
            self.context.raise(ResolveError::Redefined { name: name.into(), span, first });
            return false;
        }
        Rc::make_mut(layer).insert(name.to_owned(), Binding { value, span });
        true
    }

    /// The positions an indexed name stands for; the flag: it was said with `[*]` or a range.
    pub fn members(&mut self, group: Group, indexed: &Indexed) -> Option<(Range<u32>, bool)> {
        let name = || indexed.name.text.clone();
        match (&indexed.index, group.range) {
            (None, None) => Some((group.first..group.first + 1, false)),
            (None, Some((first, last))) => {
                self.context.raise(ResolveError::NeedsIndex { name: name(), span: indexed.span, first, last });
                None
            }
            (Some(_), None) => {
                self.context.raise(ResolveError::NotReplicated { name: name(), span: indexed.span, declared: group.span });
                None
            }
            (Some(Index::All), Some((first, last))) => Some((positions(group.first, first, first, last), true)),
            (Some(Index::One(expr)), Some(range)) => {
                let index = self.index_within(expr, &name(), group, range)?;
                Some((positions(group.first, range.0, index, index), false))
            }
            (Some(Index::Range(from, to)), Some(range)) => {
                let first = self.index_within(from, &name(), group, range);
                let last = self.index_within(to, &name(), group, range);
                let (first, last) = (first?, last?);
                if first > last {
                    let (a, b) = (first.to_string(), last.to_string());
                    self.context.raise(ExpandError::BackwardRange { first: a, last: b, span: indexed.span });
                    return None;
                }
                Some((positions(group.first, range.0, first, last), true))
            }
        }
    }

    fn index_within(&mut self, expr: &Expr, name: &str, group: Group, range: (i64, i64)) -> Option<i64> {
        let index = self.context.base_units(expr, Dimension::Count, &self.scope)?;
        let (first, last) = range;
        if index < first || index > last {
            self.context.raise(ResolveError::IndexOutOfRange {
                name: name.into(),
                index,
                first,
                last,
                span: expr.span,
                declared: group.span,
            });
            return None;
        }
        Some(index)
    }

    /// First and last index of a declaration `name[1..50]`, and how many; `None` in the middle: no index.
    pub fn declared_range(&mut self, indexed: &Indexed, what: &'static str, limit: u64) -> Option<Option<(i64, i64)>> {
        let (first, last) = match &indexed.index {
            None => return Some(None),
            Some(Index::All) => {
                let help = "say how many: `client[1..50]`".to_owned();
                self.context.raise(ExpandError::OptionForm { name: "[*]".into(), form: help, span: indexed.span });
                return None;
            }
            Some(Index::One(expr)) => {
                let one = self.context.bounded("an index", expr, Dimension::Count, (0, i64::from(u32::MAX)), &self.scope)?;
                (one, one)
            }
            Some(Index::Range(first, last)) => {
                let low = self.context.bounded("an index", first, Dimension::Count, (0, i64::from(u32::MAX)), &self.scope);
                let high = self.context.bounded("an index", last, Dimension::Count, (0, i64::from(u32::MAX)), &self.scope);
                (low?, high?)
            }
        };
        if first > last {
            self.context.raise(ExpandError::BackwardRange { first: first.to_string(), last: last.to_string(), span: indexed.span });
            return None;
        }
        let count = last - first + 1;
        if count > limit {
            self.context.raise(ExpandError::TooLarge { what, count, limit, span: indexed.span });
            return None;
        }
        Some(Some((i64::try_from(first).ok()?, i64::try_from(last).ok()?)))
    }
}

/// Positions of the indices from `from` to `to` in a group whose first index is `lowest`; all lie in the group.
fn positions(first: u32, lowest: i64, from: i64, to: i64) -> Range<u32> {
    let place = |index: i64| first.saturating_add(u32::try_from(index - lowest).unwrap_or(0));
    place(from)..place(to).saturating_add(1)
}
