//! What the names of one file mean. In: declarations. Out: a table of each kind, and the places of names. Looks no further than the file.

use std::collections::BTreeMap;

use super::ResolveError;
use crate::diagnostics::Diagnostic;
use crate::source::Span;
use crate::syntax::tree::{
    ExpectStatement, Expr, FunctionDecl, Item, ItemKind, Name, PatternDecl, ScenarioDecl, Template, TimelineStatement, TopologyStatement,
};

/// A declaration and where its own names are looked up.
#[derive(Debug)]
pub struct Declared<'a, T> {
    /// The declaration.
    pub declaration: &'a T,
    /// Its module, a position in the list of modules.
    pub module: usize,
}

impl<T> Clone for Declared<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Declared<'_, T> {}

/// A pattern.
pub type PatternRef<'a> = Declared<'a, PatternDecl>;
/// A function.
pub type FunctionRef<'a> = Declared<'a, FunctionDecl>;
/// A template of statements.
pub type TemplateRef<'a, S> = Declared<'a, Template<S>>;

/// A `let` and where its own names are looked up.
#[derive(Debug, Clone, Copy)]
pub struct LetRef<'a> {
    /// The name.
    pub name: &'a Name,
    /// The value as written; of a `secret`, the environment variable.
    pub value: LetValue<'a>,
    /// Its module, a position in the list of modules.
    pub module: usize,
}

/// What a name's value comes from.
#[derive(Debug, Clone, Copy)]
pub enum LetValue<'a> {
    /// `let NAME = EXPRESSION`.
    Expression(&'a Expr),
    /// `secret NAME from env VARIABLE`.
    Secret(&'a Name),
}

/// A scenario's declaration with its documentation.
#[derive(Debug, Clone, Copy)]
pub struct ScenarioRef<'a> {
    /// The `##` lines over it.
    pub doc: &'a [String],
    /// All of it.
    pub span: Span,
    /// The declaration.
    pub declaration: &'a ScenarioDecl,
}

/// Declarations by name, those of a file or those inside a scenario.
#[derive(Debug, Default)]
pub struct Declarations<'a> {
    /// Patterns.
    pub patterns: BTreeMap<&'a str, PatternRef<'a>>,
    /// Functions.
    pub functions: BTreeMap<&'a str, FunctionRef<'a>>,
    /// Templates of topologies.
    pub topologies: BTreeMap<&'a str, TemplateRef<'a, TopologyStatement>>,
    /// Templates of timelines' entries.
    pub actions: BTreeMap<&'a str, TemplateRef<'a, TimelineStatement>>,
    /// Templates of expectations.
    pub checks: BTreeMap<&'a str, TemplateRef<'a, ExpectStatement>>,
}

impl<'a> Declarations<'a> {
    /// Takes what an item declares, if it is a pattern, a function or a template. The name must be new.
    pub fn add(&mut self, item: &'a Item, module: usize) {
        match &item.kind {
            ItemKind::Pattern(declaration) => drop(self.patterns.insert(&declaration.name.text, Declared { declaration, module })),
            ItemKind::Function(declaration) => drop(self.functions.insert(&declaration.name.text, Declared { declaration, module })),
            ItemKind::Topology(declaration) => drop(self.topologies.insert(&declaration.name.text, Declared { declaration, module })),
            ItemKind::Action(declaration) => drop(self.actions.insert(&declaration.name.text, Declared { declaration, module })),
            ItemKind::Check(declaration) => drop(self.checks.insert(&declaration.name.text, Declared { declaration, module })),
            ItemKind::Use(_) | ItemKind::Let { .. } | ItemKind::Secret { .. } | ItemKind::Scenario(_) => {}
        }
    }

    /// Takes over one name of another table.
    fn copy(&mut self, other: &Declarations<'a>, name: &str) {
        /// The entry of one map.
        fn one<'a, T: Copy>(to: &mut BTreeMap<&'a str, T>, from: &BTreeMap<&'a str, T>, name: &str) {
            to.extend(from.get_key_value(name).map(|(name, value)| (*name, *value)));
        }
        one(&mut self.patterns, &other.patterns, name);
        one(&mut self.functions, &other.functions, name);
        one(&mut self.topologies, &other.topologies, name);
        one(&mut self.actions, &other.actions, name);
        one(&mut self.checks, &other.checks, name);
    }

    /// Where the declaration of a name stands, with the module and what it declares.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<(Span, usize, &'static str)> {
        let pattern = || self.patterns.get(name).map(|d| (d.declaration.name.span, d.module, "a pattern"));
        let function = || self.functions.get(name).map(|d| (d.declaration.name.span, d.module, "a function"));
        let topology = || self.topologies.get(name).map(|d| (d.declaration.name.span, d.module, "a topology"));
        let action = || self.actions.get(name).map(|d| (d.declaration.name.span, d.module, "an action"));
        let check = || self.checks.get(name).map(|d| (d.declaration.name.span, d.module, "a check"));
        pattern().or_else(function).or_else(topology).or_else(action).or_else(check)
    }

    /// Every name with its module.
    fn names(&self) -> impl Iterator<Item = (&'a str, usize)> {
        let patterns = self.patterns.iter().map(|(name, d)| (*name, d.module));
        let functions = self.functions.iter().map(|(name, d)| (*name, d.module));
        let topologies = self.topologies.iter().map(|(name, d)| (*name, d.module));
        let actions = self.actions.iter().map(|(name, d)| (*name, d.module));
        let checks = self.checks.iter().map(|(name, d)| (*name, d.module));
        patterns.chain(functions).chain(topologies).chain(actions).chain(checks)
    }
}

/// What the names of one file mean.
#[derive(Debug, Default)]
pub struct Module<'a> {
    /// The name the file is shown by.
    pub name: &'a str,
    /// Patterns, functions and templates, its own and imported ones.
    pub declarations: Declarations<'a>,
    /// Values, its own (in [`Module::order`] too) and imported ones.
    pub lets: BTreeMap<&'a str, LetRef<'a>>,
    /// Its own values in the order of the text.
    pub order: Vec<&'a str>,
    /// Modules by the words they are qualified with: `patterns`, `std.patterns`, an alias.
    pub qualifiers: BTreeMap<String, usize>,
    /// Its scenarios in the order of the text.
    pub scenarios: Vec<ScenarioRef<'a>>,
    /// Where each name was introduced.
    places: BTreeMap<String, Span>,
    /// Where each scenario was introduced.
    scenario_places: BTreeMap<&'a str, Span>,
}

impl<'a> Module<'a> {
    /// A file without names.
    pub(super) fn named(name: &'a str) -> Self {
        Module { name, ..Module::default() }
    }

    /// Where a name of the file was introduced, if it was.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<Span> {
        self.places.get(name).copied()
    }

    /// Takes a name, or says that it is taken.
    pub(super) fn introduce(&mut self, text: &str, span: Span, problems: &mut Vec<Diagnostic>) -> bool {
        if let Some(first) = self.places.get(text) {
            problems.push(ResolveError::Redefined { name: text.into(), span, first: *first }.into());
            return false;
        }
        self.places.insert(text.to_owned(), span);
        true
    }

    /// Takes what an item of the file declares, but for `use`.
    pub(super) fn declare(&mut self, item: &'a Item, module: usize, problems: &mut Vec<Diagnostic>) {
        match &item.kind {
            ItemKind::Use(_) => {}
            ItemKind::Let { name, value } => self.value(name, LetValue::Expression(value), module, problems),
            ItemKind::Secret { name, variable } => self.value(name, LetValue::Secret(variable), module, problems),
            ItemKind::Scenario(declaration) => {
                let name = &declaration.name;
                if let Some(first) = self.scenario_places.insert(&name.text, name.span) {
                    problems.push(ResolveError::Redefined { name: name.text.clone(), span: name.span, first }.into());
                }
                self.scenarios.push(ScenarioRef { doc: &item.doc, span: item.span, declaration });
            }
            ItemKind::Function(FunctionDecl { name, .. })
            | ItemKind::Pattern(PatternDecl { name, .. })
            | ItemKind::Topology(Template { name, .. })
            | ItemKind::Action(Template { name, .. })
            | ItemKind::Check(Template { name, .. }) => {
                if self.introduce(&name.text, name.span, problems) {
                    self.declarations.add(item, module);
                }
            }
        }
    }

    fn value(&mut self, name: &'a Name, value: LetValue<'a>, module: usize, problems: &mut Vec<Diagnostic>) {
        if self.introduce(&name.text, name.span, problems) {
            self.lets.insert(&name.text, LetRef { name, value, module });
            self.order.push(&name.text);
        }
    }

    /// Where the file at `position` declares a name of its own.
    #[must_use]
    pub fn own_place(&self, name: &str, position: usize) -> Option<Span> {
        let declared = self.declarations.place(name).filter(|(_, module, _)| *module == position).map(|(span, ..)| span);
        declared.or_else(|| self.lets.get(name).filter(|value| value.module == position).map(|value| value.name.span))
    }

    /// Takes over what another file calls by a name.
    pub(super) fn copy(&mut self, source: &Module<'a>, name: &str) {
        self.declarations.copy(&source.declarations, name);
        self.lets.extend(source.lets.get_key_value(name).map(|(name, value)| (*name, *value)));
    }

    /// The names that another file may import from this one, which is at `position`.
    #[must_use]
    pub fn exported(&self, position: usize) -> Vec<&'a str> {
        let values = self.lets.iter().map(|(name, value)| (*name, value.module));
        let all = self.declarations.names().chain(values);
        all.filter(|(name, module)| *module == position && !name.starts_with('_')).map(|(name, _)| name).collect()
    }
}
