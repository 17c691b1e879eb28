//! A scenario while it is being expanded: what is there so far and by which names. In: a declaration. Out: a [`Scenario`].
//! The parts have files of their own.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::evaluate::{Binding, Names, Scope};
use super::interfaces::NamedEnd;
use super::lints::Shape;
use super::matrix::Picks;
use super::patterns::Instances;
use super::things::Table;
use super::value::Value;
use super::{Context, DEFAULT_TIMEOUT_NS, DEFAULT_TOLERANCE_NS};
use crate::resolve::{Declarations, ResolveError, ScenarioRef};
use crate::scenario::topology::Topology;
use crate::scenario::{NodeId, Scenario};
use crate::source::Span;

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
    /// Which variant of the scenario this is.
    pub picks: Picks,
    /// An `except` leaves this variant out.
    pub excluded: bool,
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
            matrix: Vec::new(),
            needs: Vec::new(),
            secrets: Vec::new(),
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
        context.words.clear();
        context.restart_unrolling();
        context.secrets_in_use();
        Draft {
            context,
            scope: Scope { module, layers: vec![Rc::new(Names::new())], inside: true },
            instances: Instances::default(),
            shapes: Vec::new(),
            moments: super::moments::Moments::default(),
            measured_values: 0,
            picks: Picks::default(),
            excluded: false,
            calls: 0,
            pattern_bytes: 0,
            ends: BTreeMap::new(),
            scenario,
        }
    }

    /// Where the file introduces a name, if it does.
    pub(super) fn module_place(&self, name: &str) -> Option<Span> {
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
