//! From resolved documents to scenarios: values computed, parameters, replicas and patterns filled in. In: modules. Out: one
//! [`Scenario`] for each declared one, and diagnostics. Looks at nothing outside the text.

mod address_verbs;
pub mod addresses;
pub mod arithmetic;
pub mod calls;
mod capability;
pub mod conditions;
pub mod destinations;
pub mod draft;
mod effects;
pub mod error;
pub mod evaluate;
mod events;
pub mod expectations;
mod fault_verbs;
mod fields;
pub mod flows;
pub mod frames;
pub mod functions;
mod layout;
pub mod lints;
mod message;
pub mod headers;
pub mod http;
pub mod impairments;
pub mod interfaces;
pub mod load;
pub mod losses;
mod lives;
mod load_verbs;
mod measured;
pub mod moment_error;
mod moments;
pub mod names;
pub mod net_error;
pub mod nodes;
pub mod options;
pub mod params;
pub mod pattern_error;
pub mod patterns;
mod payload;
pub mod process;
mod program_verbs;
mod reading;
pub mod services;
mod sized;
pub mod sockets;
pub mod steps;
pub mod stress;
mod stars;
mod subjects;
mod taken;
pub mod talk;
pub mod targets;
pub mod templates;
pub mod texts;
pub mod things;
pub mod timeline;
pub mod timing;
pub mod topology;
pub mod transport_options;
pub mod transports;
pub mod unroll;
pub mod value;
pub mod verbs;
mod windows;
mod wording;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::MOST_PROBLEMS;
use crate::diagnostics::{Diagnostic, Severity};
use crate::resolve::{Declarations, LetValue, Module};
use crate::scenario::Scenario;
use crate::source::{Sources, Span};
use crate::syntax::tree::{ScenarioPart, plain};
use draft::Draft;
use evaluate::{Binding, Names, Scope};
pub use params::Given;
use templates::Open;
use things::Table;
use value::{Masked, Value};

/// A run is cut after this long if the scenario does not say, in ns.
pub const DEFAULT_TIMEOUT_NS: u64 = 300_000_000_000;
/// The program may be so late before it spoils a verdict if the scenario does not say, in ns.
pub const DEFAULT_TOLERANCE_NS: u64 = 5_000_000;
/// A broken connection is opened anew after this long if the flow does not say, in ns.
pub const DEFAULT_RECONNECT_NS: u64 = 100_000_000;
/// Nodes of one scenario: at most so many.
pub const NODE_LIMIT: u64 = 20_000;
/// Links of one scenario: at most so many.
pub const LINK_LIMIT: u64 = 40_000;
/// Flows of one scenario: at most so many.
pub const FLOW_LIMIT: u64 = 10_000;
/// Entries of one timeline: at most so many.
pub const ENTRY_LIMIT: u64 = 10_000;
/// Expectations of one scenario: at most so many.
pub const EXPECTATION_LIMIT: u64 = 20_000;

/// Written routes of one scenario, those of each node of `[*]` counted: at most so many.
pub const ROUTE_LIMIT: u64 = 100_000;
/// Measured values in the conditions of one scenario, those of each flow of `[*]` counted: at most so many.
pub const MEASURED_LIMIT: u64 = 1_000_000;
/// Bytes that the patterns of all flows of one scenario take together: at most about so many.
pub const PATTERN_LIMIT: u64 = 128 << 20;

/// What all scenarios of a check share.
pub struct Context<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// Tables of every file; the checked one is the last.
    pub modules: &'a [Module<'a>],
    /// Values of every file.
    pub values: Vec<Rc<Names>>,
    /// Values set from outside.
    pub given: &'a BTreeMap<String, Given>,
    /// What was found.
    pub problems: Vec<Diagnostic>,
    /// How many errors were found.
    pub errors: usize,
    /// Names of patterns (by their place) that were instantiated.
    pub used_patterns: BTreeSet<Span>,
    /// Names of things of the scenario being expanded.
    pub things: Table,
    /// A template is being checked with sample values: what depends on values is not told.
    pub sampling: bool,
    /// Statements of loops so far.
    pub unrolled: u64,
    /// Templates and functions that are being expanded, the outermost first.
    pub open: Vec<Open>,
    /// What the scenario being expanded declares for itself.
    pub local: Declarations<'a>,
    /// The loop entered last.
    last_loop: Option<Span>,
}

impl<'a> Context<'a> {
    /// Computes the values of every file.
    #[must_use]
    pub fn new(sources: &'a Sources, modules: &'a [Module<'a>], given: &'a BTreeMap<String, Given>) -> Self {
        let mut context = Context {
            sources,
            modules,
            values: Vec::new(),
            given,
            problems: Vec::new(),
            errors: 0,
            used_patterns: BTreeSet::new(),
            things: Table::default(),
            sampling: false,
            unrolled: 0,
            open: Vec::new(),
            local: Declarations::default(),
            last_loop: None,
        };
        for (position, module) in modules.iter().enumerate() {
            context.values.push(Rc::default());
            for (name, declared) in &module.lets {
                if let Some(binding) = context
                    .values
                    .get(declared.module)
                    .filter(|_| declared.module != position)
                    .and_then(|v| v.get(declared.name.text.as_str()))
                {
                    let binding = binding.clone();
                    Rc::make_mut(&mut context.values[position]).insert((*name).to_owned(), binding);
                }
            }
            let scope = Scope { module: position, ..Scope::default() };
            for name in &module.order {
                let Some(declared) = module.lets.get(name) else { continue };
                let value = match declared.value {
                    LetValue::Expression(expr) => context.evaluate(expr, &scope),
                    LetValue::Secret(_) => Some(Value::Masked(vec![Masked::Secret(declared.name.text.clone())])),
                };
                let binding = Binding { value, span: declared.name.span };
                Rc::make_mut(&mut context.values[position]).insert((*name).to_owned(), binding);
            }
        }
        context
    }

    /// Takes a problem in.
    pub fn raise(&mut self, problem: impl Into<Diagnostic>) {
        let problem = problem.into();
        self.errors += usize::from(problem.severity == Severity::Error);
        self.problems.push(problem);
    }

    /// So much is wrong that looking further tells nobody more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.errors > MOST_PROBLEMS
    }

    /// Notes that a place names what is declared elsewhere, for whoever asked for it.
    pub fn refer(&mut self, _span: Span, _declared: Span, _what: &'static str, _value: Option<&Value>) {}

    /// The words at a place, on one line.
    #[must_use]
    pub fn words(&self, span: Span) -> String {
        self.sources.text(span).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Expands every scenario of the last module, and looks at every pattern that none of them uses.
pub fn expand(context: &mut Context<'_>) -> Vec<Scenario> {
    let Some((position, module)) = context.modules.iter().enumerate().next_back() else { return Vec::new() };
    let mut scenarios = Vec::new();
    for declared in &module.scenarios {
        let mut draft = Draft::new(context, position, declared);
        draft.head(declared.declaration);
        let body = || plain(&declared.declaration.body);
        let mut standing = Vec::new();
        body().for_each(|part| {
            if let ScenarioPart::Topology(statements) = part {
                draft.stand(statements, &mut standing)
            }
        });
        draft.topology(&standing);
        draft.topology_processes(&standing);
        body().for_each(|part| {
            if let ScenarioPart::Process(process) = part {
                draft.process(process)
            }
        });
        body().for_each(|part| {
            if let ScenarioPart::Service(service) = part {
                draft.service(service)
            }
        });
        body().for_each(|part| {
            if let ScenarioPart::Flow(flow) = part {
                draft.flow(flow)
            }
        });
        let mut spoken = Vec::new();
        body().for_each(|part| {
            if let ScenarioPart::Stress(stress) = part {
                draft.stress(stress)
            }
        });
        body().for_each(|part| {
            if let ScenarioPart::Timeline(statements) = part {
                spoken.extend(draft.look_at(statements));
            }
        });
        draft.timeline(&spoken);
        body().for_each(|part| {
            if let ScenarioPart::Expect(statements) = part {
                draft.expect(statements)
            }
        });
        draft.finish(declared);
        scenarios.push(draft.scenario);
    }
    context.check_unused_patterns(position);
    scenarios
}
