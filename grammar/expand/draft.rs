//! A scenario while it is being expanded: what is there so far and by which names. In: a declaration. Out: a [`Scenario`].
//! The parts have files of their own.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::error::ExpandError;
use super::evaluate::{Binding, Names, Scope};
use super::interfaces::NamedEnd;
use super::lints::Shape;
use super::patterns::Instances;
use super::things::Table;
use super::value::Value;
use super::{Context, DEFAULT_TIMEOUT_NS, DEFAULT_TOLERANCE_NS};
use crate::quantity::{BILLION, Dimension};
use crate::resolve::{Declarations, ResolveError, ScenarioRef};
use crate::scenario::topology::Topology;
use crate::scenario::{NodeId, Scenario};
use crate::source::Span;
use crate::syntax::tree::{Expr, FunctionDecl, Item, ItemKind, Name, PatternDecl, ScenarioDecl, ScenarioPart, Template, plain};

/// A scenario being expanded.
pub struct Draft<'c, 'a> {
    /// What all scenarios share.
    pub context: &'c mut Context<'a>,
    /// Where expressions look names up: one layer, the scenario's own.
    pub scope: Scope,
    /// Patterns filled in so far.
    pub instances: Instances,
    /// Conditions so far, for the check of contradictions.
    pub shapes: Vec<Shape>,
    /// What the timeline and the expectations know of themselves.
    pub moments: super::moments::Moments,
    /// Measured values in conditions so far.
    pub measured_values: u64,
    /// Calls of actions without a name in this pass over the timeline.
    pub calls: u64,
    /// Bytes that the patterns of flows take so far.
    pub pattern_bytes: u64,
    /// The interfaces that links make, by node.
    pub ends: BTreeMap<NodeId, Vec<NamedEnd>>,
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
            processes: Vec::new(),
            stresses: Vec::new(),
            events: Vec::new(),
            timeline: Vec::new(),
            expectations: Vec::new(),
        };
        context.things = Table::default();
        context.local = Declarations::default();
        Draft {
            context,
            scope: Scope { module, layers: vec![Rc::new(Names::new())], inside: true },
            instances: Instances::default(),
            shapes: Vec::new(),
            moments: super::moments::Moments::default(),
            measured_values: 0,
            calls: 0,
            pattern_bytes: 0,
            ends: BTreeMap::new(),
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
                        self.introduce(&name.text, name.span, value);
                    }
                    ItemKind::Use(_) | ItemKind::Scenario(_) => {}
                    _ => self.declaration(item),
                },
                _ => {}
            }
        }
    }

    /// A pattern, function, action or check of the scenario's own.
    fn declaration(&mut self, item: &'a Item) {
        let name = match &item.kind {
            ItemKind::Function(FunctionDecl { name, .. })
            | ItemKind::Pattern(PatternDecl { name, .. })
            | ItemKind::Topology(Template { name, .. })
            | ItemKind::Action(Template { name, .. })
            | ItemKind::Check(Template { name, .. }) => name,
            _ => return,
        };
        let text = name.text.as_str();
        let value = self.scope.layers.first().and_then(|layer| layer.get(text)).map(|binding| binding.span);
        let first = self.context.local.place(text).map(|(span, ..)| span).or(value).or_else(|| self.module_place(text));
        match first {
            Some(first) => self.context.raise(ResolveError::Redefined { name: text.into(), span: name.span, first }),
            None => self.context.local.add(item, self.scope.module),
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

    /// Gives a name a value in the scenario, or says that it is taken.
    pub fn introduce(&mut self, name: &str, span: Span, value: Option<Value>) -> bool {
        let outer = self.module_place(name);
        let Some(layer) = self.scope.layers.first_mut() else { return false };
        let local = self.context.local.place(name).map(|(span, ..)| span);
        if let Some(first) = layer.get(name).map(|b| b.span).or(outer).or(local) {
            self.context.raise(ResolveError::Redefined { name: name.into(), span, first });
            return false;
        }
        Rc::make_mut(layer).insert(name.to_owned(), Binding { value, span });
        true
    }
}
