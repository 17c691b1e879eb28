//! Templates and functions that nobody calls: looked at with sample values, so that a library alone finds its mistakes. In: the
//! declarations of a file. Out: diagnostics that hold whatever the values are. Keeps nothing of what it makes.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Context;
use super::calls::Given;
use super::draft::Draft;
use super::evaluate::{Binding, Names, Scope};
use super::params::declared_type;
use super::templates::Called;
use super::things::{Frame, Things};
use super::value::{Type, Value};
use crate::diagnostics::{Diagnostic, Severity};
use crate::quantity::{BILLION, Dimension, Quantity};
use crate::resolve::load::SAMPLE;
use crate::resolve::{ResolveError, ScenarioRef};
use crate::scenario::topology::Prefix;
use crate::source::Span;
use crate::syntax::tree::{Block, Name, ParamDecl, ScenarioPart, Template, plain};

/// Problems that depend on no value: the others show when the template is called.
const TOLD: &[&str] = &[
    "scn::expand::argument_twice",
    "scn::expand::bad_regex",
    "scn::expand::dimension_mismatch",
    "scn::expand::measured_choice",
    "scn::expand::metric_event",
    "scn::expand::missing_argument",
    "scn::expand::needs_metric",
    "scn::expand::needs_statistic",
    "scn::expand::nothing_to_undo",
    "scn::expand::option_form",
    "scn::expand::parameter_type",
    "scn::expand::secret_shown",
    "scn::expand::too_few_arguments",
    "scn::expand::too_many_arguments",
    "scn::expand::verb_form",
    "scn::expand::wrong_type",
    "scn::resolve::call_cycle",
    "scn::resolve::not_a_value",
    "scn::resolve::not_imported",
    "scn::resolve::private_name",
    "scn::resolve::unknown_argument",
    "scn::resolve::unknown_destination",
    "scn::resolve::unknown_event",
    "scn::resolve::unknown_flow",
    "scn::resolve::unknown_function",
    "scn::resolve::unknown_import",
    "scn::resolve::unknown_metric",
    "scn::resolve::unknown_module",
    "scn::resolve::unknown_name",
    "scn::resolve::unknown_node",
    "scn::resolve::unknown_option",
    "scn::resolve::unknown_pattern",
    "scn::resolve::unknown_startable",
    "scn::resolve::unknown_target",
    "scn::resolve::unknown_template",
    "scn::resolve::unknown_transport",
    "scn::resolve::unknown_type",
    "scn::resolve::unknown_verb",
    "scn::resolve::wrong_declaration",
    "scn::resolve::wrong_kind",
];

/// A problem holds whatever the values of parameters are.
pub(super) fn is_told(problem: &Diagnostic) -> bool {
    problem.severity == Severity::Error && TOLD.contains(&problem.code)
}

/// A value of a type; `None`: there is none that stands for all others, and whatever depends on it is not looked at.
fn sample(param: &ParamDecl, kind: Option<Type>) -> Option<Value> {
    let quantity = |dimension, value| Value::Quantity(Quantity::new(dimension, value));
    let address = std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    Some(match kind? {
        Type::Of(Dimension::Count) => quantity(Dimension::Count, 4),
        Type::Of(Dimension::Size) => quantity(Dimension::Size, 1_000),
        Type::Of(Dimension::Bandwidth) => quantity(Dimension::Bandwidth, 1_000_000),
        Type::Of(Dimension::Ratio) => quantity(Dimension::Ratio, BILLION / 10),
        Type::Of(dimension) => quantity(dimension, BILLION),
        Type::Text => Value::Text("x".into()),
        Type::Bytes => Value::Bytes(vec![0]),
        Type::Address => Value::Address(address),
        Type::Prefix => Value::Prefix(Prefix { address, length: 24 }),
        Type::Regex => Value::Regex("x".into()),
        Type::Mac => Value::Mac([2, 0, 0, 0, 0, 1]),
        Type::List | Type::Truth => return None,
        // The sample scenario has one of each.
        Type::Thing(kind) => Value::Things(Things { kind, ids: Rc::from([0]), many: false, words: param.name.text.clone() }),
    })
}

/// Looks at the functions and templates that a file declares.
pub(super) fn check_declarations(context: &mut Context<'_>, position: usize) {
    let modules = context.modules;
    let Some(module) = modules.get(position) else { return };
    let own = &module.declarations;
    context.check_parameters(position);
    context.sampling = true;
    for found in own.functions.values().filter(|found| found.module == position) {
        let function = found.declaration;
        let scope = context.sample_scope(position, &function.name, &function.params);
        context.evaluate(&function.value, &scope);
    }
    let sample = modules.iter().position(|module| module.name == SAMPLE);
    if let Some((sample, declared)) = sample.and_then(|sample| Some((sample, modules[sample].scenarios.first()?))) {
        let mut draft = Draft::of_samples(context, sample, declared);
        for found in own.topologies.values().filter(|found| found.module == position) {
            draft.look_at(position, found.declaration, |draft, block| {
                let mut standing = Vec::new();
                draft.stand(block, &mut standing);
                draft.topology(&standing);
                draft.topology_processes(&standing);
            });
        }
        for found in own.actions.values().filter(|found| found.module == position) {
            draft.look_at(position, found.declaration, |draft, block| {
                draft.restart_calls();
                let spoken = draft.spoken(block);
                draft.timeline(&spoken);
            });
        }
        for found in own.checks.values().filter(|found| found.module == position) {
            draft.look_at(position, found.declaration, |draft, block| draft.expect(block));
        }
    }
    context.sampling = false;
}

impl Context<'_> {
    /// Reports names of parameters that are taken, whether anybody calls the declaration or not.
    fn check_parameters(&mut self, position: usize) {
        let modules = self.modules;
        let Some(module) = modules.get(position) else { return };
        let own = &module.declarations;
        let mut all: Vec<&[ParamDecl]> = Vec::new();
        all.extend(own.functions.values().filter(|found| found.module == position).map(|found| found.declaration.params.as_slice()));
        all.extend(own.patterns.values().filter(|found| found.module == position).map(|found| found.declaration.params.as_slice()));
        all.extend(own.topologies.values().filter(|found| found.module == position).map(|found| found.declaration.params.as_slice()));
        all.extend(own.actions.values().filter(|found| found.module == position).map(|found| found.declaration.params.as_slice()));
        all.extend(own.checks.values().filter(|found| found.module == position).map(|found| found.declaration.params.as_slice()));
        let inside = module.scenarios.iter().flat_map(|scenario| plain(&scenario.declaration.body));
        all.extend(inside.filter_map(|part| match part {
            ScenarioPart::Item(item) => Some(item.kind.params()),
            _ => None,
        }));
        for params in all {
            let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
            for Name { text, span, .. } in params.iter().map(|param| &param.name) {
                let taken = module.place(text).or_else(|| seen.get(text.as_str()).copied());
                if let Some(first) = taken {
                    self.raise(ResolveError::Redefined { name: text.clone(), span: *span, first });
                } else {
                    seen.insert(text, *span);
                }
            }
        }
    }

    /// The parameters of a declaration with defaults or sample values, in a scope of their own.
    fn sample_scope(&mut self, module: usize, name: &Name, params: &[ParamDecl]) -> Scope {
        let mut scope = Scope { module, ..Scope::default() };
        let given = |param: &ParamDecl| {
            if param.default.is_some() { Given::Default } else { Given::Value(None, param.span) }
        };
        let (mut names, _): (Names, _) = self.bind(name, params, params.iter().map(given).collect(), name.span, &scope);
        for param in params.iter().filter(|param| param.default.is_none()) {
            let value = declared_type(self, param).and_then(|kind| sample(param, kind));
            names.insert(param.name.text.clone(), Binding { value, span: param.name.span });
        }
        scope.layers.push(Rc::new(names));
        scope
    }
}

impl<'c, 'a> Draft<'c, 'a> {
    /// The sample scenario, expanded.
    fn of_samples(context: &'c mut Context<'a>, module: usize, declared: &ScenarioRef<'a>) -> Self {
        let mut draft = Draft::new(context, module, declared);
        draft.head(declared.declaration);
        draft.fill(declared);
        draft
    }

    /// Enters a template with sample values.
    fn look_at<S>(&mut self, module: usize, template: &'a Template<S>, look: impl FnOnce(&mut Self, &'a Block<S>)) {
        let scope = self.context.sample_scope(module, &template.name, &template.params);
        let called = Called { template, scope, span: template.name.span };
        // No path can name what is in here, and nothing in here sees the sample scenario.
        let frame = Frame { prefix: format!("#{}.", template.name.text), ..Frame::default() };
        self.within(&called, frame, look);
    }
}
