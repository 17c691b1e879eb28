//! What all scenarios of a check share: texts, tables, values of files, problems, budgets. In: modules. Out: the values of every file;
//! takes problems in. Expands nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::evaluate::{Binding, Names, Scope};
use super::functions::{ELSEWHERE, FUNCTIONS};
use super::params::Given;
use super::templates::Open;
use super::things::Table;
use super::value::Value;
use crate::MOST_PROBLEMS;
use crate::diagnostics::{Diagnostic, Severity};
use crate::resolve::{Declarations, LetValue, Module, ResolveError};
use crate::scenario::Secret;
use crate::source::{Sources, Span};

/// Names that are followed to their declarations: at most so many of one check.
const REFERENCE_LIMIT: usize = 1_000_000;

/// A place where a name was looked up, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The name's place.
    pub span: Span,
    /// The name in its declaration.
    pub declared: Span,
    /// What it is, with an article: `a flow`, `a value`, `a pattern`.
    pub what: &'static str,
    /// A value as it would be written, in one of the scenarios that use it.
    pub value: Option<String>,
}

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
    /// Regexes that were tried.
    pub(super) regexes: BTreeMap<String, super::regexes::Tried>,
    /// What that cost.
    pub(super) regex_cost: u64,
    /// Why transactions of patterns are certain to fail; the scenario being expanded may be about that.
    pub(super) failures: Vec<Diagnostic>,
    /// Names of patterns (by their place) that were instantiated.
    pub used_patterns: BTreeSet<Span>,
    /// Names of things of the scenario being expanded.
    pub things: Table,
    /// What the scenario being expanded declares for itself.
    pub local: Declarations<'a>,
    /// Words of the matrices of the scenario being expanded.
    pub words: BTreeSet<String>,
    /// A template is being checked with sample values: what depends on values is not told.
    pub sampling: bool,
    /// Templates and functions that are being expanded, the outermost first.
    pub open: Vec<Open>,
    /// Every secret of the check.
    pub secrets: Vec<Secret>,
    /// Names followed to their declarations; `None`: nobody asked for them.
    pub references: Option<Vec<Reference>>,
    /// Places of names with the places of what they were found to be declared as: values, parameters, patterns, functions, templates.
    pub looked_up: BTreeSet<(Span, Span)>,
    /// The secrets that values looked up so far hold.
    pub(super) used_secrets: BTreeSet<String>,
    /// Statements of loops and templates so far, in this variant of a scenario.
    pub(super) unrolled: u64,
    /// Those of the whole check so far.
    pub(super) unrolled_ever: u64,
    /// Calls of functions so far.
    pub(super) function_calls: u64,
    /// Steps of computing so far.
    pub(super) work: u64,
    /// The loop entered last.
    pub(super) last_loop: Option<Span>,
    /// Problems told already: variants and passes meet one problem several times.
    told: BTreeSet<(Span, &'static str, String)>,
}

impl<'a> Context<'a> {
    /// Computes the values of every file.
    #[must_use]
    pub fn new(sources: &'a Sources, modules: &'a [Module<'a>], given: &'a BTreeMap<String, Given>) -> Self {
        Context {
            sources,
            modules,
            values: Vec::new(),
            given,
            problems: Vec::new(),
            errors: 0,
            regexes: BTreeMap::new(),
            regex_cost: 0,
            failures: Vec::new(),
            used_patterns: BTreeSet::new(),
            things: Table::default(),
            local: Declarations::default(),
            words: BTreeSet::new(),
            sampling: false,
            open: Vec::new(),
            secrets: Vec::new(),
            references: None,
            looked_up: BTreeSet::new(),
            used_secrets: BTreeSet::new(),
            unrolled: 0,
            unrolled_ever: 0,
            function_calls: 0,
            work: 0,
            last_loop: None,
            told: BTreeSet::new(),
        }
    }

    /// Computes the values of every file, each after those it uses.
    pub fn compute_values(&mut self) {
        let modules = self.modules;
        for (position, module) in modules.iter().enumerate() {
            self.values.push(Rc::default());
            let imported = module.lets.iter().filter(|(_, declared)| declared.module != position);
            let known: Vec<(String, Binding)> = imported
                .filter_map(|(name, declared)| {
                    Some(((*name).to_owned(), self.values.get(declared.module)?.get(declared.name.text.as_str())?.clone()))
                })
                .collect();
            Rc::make_mut(&mut self.values[position]).extend(known);
            let scope = Scope { module: position, ..Scope::default() };
            for name in &module.order {
                let Some(declared) = module.lets.get(name) else { continue };
                let value = match declared.value {
                    LetValue::Expression(expr) => self.evaluate(expr, &scope),
                    LetValue::Secret(variable) => self.secret(declared.name, variable),
                };
                let binding = Binding { value, span: declared.name.span };
                Rc::make_mut(&mut self.values[position]).insert((*name).to_owned(), binding);
            }
            for function in module.declarations.functions.values().filter(|function| function.module == position) {
                self.check_function_name(&function.declaration.name);
            }
        }
    }

    /// Reports a function that has the name of one of the language.
    pub(super) fn check_function_name(&mut self, name: &crate::syntax::tree::Name) {
        if FUNCTIONS.iter().chain(ELSEWHERE).any(|taken| *taken == name.text) {
            self.raise(ResolveError::OfTheLanguage { name: name.text.clone(), span: name.span });
        }
    }

    /// Takes a problem in, once.
    pub fn raise(&mut self, problem: impl Into<Diagnostic>) {
        let problem = problem.into();
        if self.sampling && !super::samples::is_told(&problem) {
            return;
        }
        if self.is_full() || !self.told.insert((problem.primary.span, problem.code, problem.message.clone())) {
            return;
        }
        self.errors += usize::from(problem.severity == Severity::Error);
        self.problems.push(problem);
    }

    /// So much is wrong that looking further tells nobody more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.errors > MOST_PROBLEMS
    }

    /// Notes that a place names what is declared elsewhere; with its value if somebody asked for it.
    pub fn refer(&mut self, span: Span, declared: Span, what: &'static str, value: Option<&Value>) {
        /// A longer value is not shown.
        const SHOWN: usize = 200;
        self.looked_up.insert((span, declared));
        if let Some(references) = &mut self.references
            && references.len() < REFERENCE_LIMIT
        {
            // What a parameter is while samples stand for arguments tells nobody anything.
            let value = value.filter(|_| !self.sampling).map(super::params::written).filter(|shown| shown.len() <= SHOWN);
            references.push(Reference { span, declared, what, value });
        }
    }

    /// The words at a place, on one line.
    #[must_use]
    pub fn words(&self, span: Span) -> String {
        self.sources.text(span).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
