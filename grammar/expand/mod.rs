//! From resolved documents to scenarios: values computed, parameters, replicas, loops, templates and patterns filled in. In: modules.
//! Out: one [`Scenario`] for each variant of each declared one, and diagnostics. Looks at nothing outside the text.

mod address_verbs;
pub mod addresses;
pub mod arithmetic;
pub mod calls;
mod capability;
pub mod conditions;
pub mod context;
mod decided;
pub mod destinations;
pub mod draft;
mod effects;
pub mod error;
pub mod evaluate;
mod events;
pub mod expectations;
mod extents;
mod fault_verbs;
mod fields;
pub mod flows;
pub mod frames;
pub mod functions;
pub mod head;
pub mod headers;
pub mod http;
pub mod impairments;
pub mod interfaces;
mod layout;
pub mod lints;
mod lives;
pub mod load;
mod load_verbs;
pub mod losses;
mod matching;
pub mod matrix;
mod measured;
mod message;
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
mod regexes;
mod samples;
mod secrets;
pub mod services;
mod sized;
pub mod sockets;
mod stars;
pub mod steps;
pub mod stress;
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
mod watching;
mod windows;
mod wording;

use crate::resolve::ScenarioRef;
use crate::scenario::Scenario;
use crate::source::Span;
use crate::syntax::tree::{ScenarioPart, plain};
pub use context::{Context, Reference};
use draft::Draft;
use error::ExpandError;
use evaluate::Scope;
use matrix::{MATRIX_LIMIT, Picks, combinations};
pub use params::Given;

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
/// Nodes, links, flows, entries and expectations of all variants of one scenario together: at most so many.
pub const VARIANTS_LIMIT: u64 = 200_000;
/// Bytes that the patterns of all flows of one scenario take together: at most about so many.
pub const PATTERN_LIMIT: u64 = 128 << 20;

/// Expands every scenario of the last module, and looks at everything it declares that none of them uses.
pub fn expand(context: &mut Context<'_>) -> Vec<Scenario> {
    context.compute_values();
    let Some((position, module)) = context.modules.iter().enumerate().next_back() else { return Vec::new() };
    let mut scenarios = Vec::new();
    for declared in &module.scenarios {
        variants(context, position, declared, &mut scenarios);
    }
    context.check_unused_patterns(position);
    samples::check_declarations(context, position);
    scenarios
}

/// Expands each variant of a scenario. After one with an error no other is looked at.
fn variants<'a>(context: &mut Context<'a>, module: usize, declared: &ScenarioRef<'a>, scenarios: &mut Vec<Scenario>) {
    let mut picks = Picks::default();
    let (mut found, mut things) = (0, 0);
    for _ in 0..MATRIX_LIMIT {
        let before = context.errors;
        let mut draft = Draft::new(context, module, declared);
        draft.picks.positions.clone_from(&picks.positions);
        draft.head(declared.declaration);
        let lengths = std::mem::take(&mut draft.picks.lengths);
        let count = combinations(&lengths);
        if count > MATRIX_LIMIT {
            draft.too_many_variants(count, matrix_place(declared));
            return;
        }
        if !draft.excluded {
            found += 1;
            draft.name_variant();
            draft.fill(declared);
            let scenario = draft.done();
            things += size(&scenario);
            scenarios.push(scenario);
            if found > 1 && things > VARIANTS_LIMIT {
                let (what, span) = ("nodes, links, flows, entries and expectations in all variants so far", matrix_place(declared));
                context.raise(ExpandError::TooLarge { what, count: things, limit: VARIANTS_LIMIT, span });
                return;
            }
        }
        if context.errors > before || !picks.advance(&lengths) {
            break;
        }
    }
    if found == 0 {
        let why = format!("`except` leaves out every variant of `{}`", declared.declaration.name.text);
        context.raise(ExpandError::EmptyMatrix { why, span: matrix_place(declared) });
    }
}

/// How much there is of a variant, roughly.
fn size(scenario: &Scenario) -> u64 {
    let topology = &scenario.topology;
    let counts = [topology.nodes.len(), topology.links.len(), scenario.flows.len(), scenario.timeline.len(), scenario.expectations.len()];
    counts.iter().map(|count| *count as u64).sum()
}

/// Where a scenario's first matrix stands.
fn matrix_place(declared: &ScenarioRef<'_>) -> Span {
    let mut matrices = plain(&declared.declaration.body).filter_map(|part| match part {
        ScenarioPart::Matrix { span, .. } => Some(*span),
        _ => None,
    });
    matrices.next().unwrap_or(declared.declaration.name.span)
}

impl<'a> Draft<'_, 'a> {
    /// Everything but the head, kind after kind: names are known before they are used, wherever they stand.
    fn fill(&mut self, declared: &ScenarioRef<'a>) {
        let mut parts: Vec<(&'a ScenarioPart, Scope)> = Vec::new();
        self.each(&declared.declaration.body, |draft, part| parts.push((part, draft.scope.clone())));
        let mut standing = Vec::new();
        self.kind_of(&parts, |draft, part| {
            if let ScenarioPart::Topology(statements) = part {
                draft.stand(statements, &mut standing);
            }
        });
        self.topology(&standing);
        self.topology_processes(&standing);
        drop(standing);
        self.kind_of(&parts, |draft, part| {
            if let ScenarioPart::Process(process) = part {
                draft.process(process);
            }
        });
        self.check_loops(&mut parts);
        self.kind_of(&parts, |draft, part| {
            if let ScenarioPart::Service(service) = part {
                draft.service(service);
            }
        });
        self.kind_of(&parts, |draft, part| {
            if let ScenarioPart::Flow(flow) = part {
                draft.flow(flow);
            }
        });
        self.kind_of(&parts, |draft, part| {
            if let ScenarioPart::Stress(stress) = part {
                draft.stress(stress);
            }
        });
        self.check_loops(&mut parts);
        let mut spoken = Vec::new();
        self.restart_calls();
        self.kind_of(&parts, |draft, part| {
            if let ScenarioPart::Timeline(statements) = part {
                spoken.extend(draft.spoken(statements));
            }
        });
        self.timeline(&spoken);
        self.kind_of(&parts, |draft, part| {
            if let ScenarioPart::Expect(statements) = part {
                draft.expect(statements);
            }
        });
        self.finish(declared);
    }

    /// Calls `visit` for each part with the names of the loops around it in scope.
    fn kind_of(&mut self, parts: &[(&'a ScenarioPart, Scope)], mut visit: impl FnMut(&mut Self, &'a ScenarioPart)) {
        for (part, scope) in parts {
            if self.context.is_full() {
                return;
            }
            self.within_scope(scope, |draft| visit(draft, part));
        }
    }

    /// The result.
    fn done(mut self) -> Scenario {
        self.scenario.secrets = self.context.secrets_in_use();
        self.scenario
    }
}
