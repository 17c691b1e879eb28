//! Gives every name its meaning. In: documents. Out: tables of declarations, and diagnostics. Computes no value and expands
//! nothing.

pub mod error;
pub mod load;
pub mod suggest;

use std::collections::BTreeMap;

use crate::diagnostics::Diagnostic;
use crate::expand::error::ExpandError;
use crate::source::Span;
use crate::syntax::tree::{Expr, ItemKind, Name, PatternDecl, ScenarioDecl, Use, UseFrom};
pub use error::ResolveError;
pub use load::Loaded;
use suggest::suggest;

/// A pattern's declaration and where its own names are looked up.
#[derive(Debug, Clone, Copy)]
pub struct PatternRef<'a> {
    /// The declaration.
    pub declaration: &'a PatternDecl,
    /// Its module, a position in the list of modules.
    pub module: usize,
}

/// A `let` and where its own names are looked up.
#[derive(Debug, Clone, Copy)]
pub struct LetRef<'a> {
    /// The name.
    pub name: &'a Name,
    /// The value as written.
    pub value: &'a Expr,
    /// Its module, a position in the list of modules.
    pub module: usize,
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

/// What the names of one file mean.
#[derive(Debug, Default)]
pub struct Module<'a> {
    /// The name the file is shown by.
    pub name: &'a str,
    /// Patterns, its own and imported ones.
    pub patterns: BTreeMap<&'a str, PatternRef<'a>>,
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

impl Module<'_> {
    /// Where a name of the file was introduced, if it was.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<Span> {
        self.places.get(name).copied()
    }

    /// Takes a name, or says that it is taken.
    fn introduce(&mut self, text: &str, span: Span, problems: &mut Vec<Diagnostic>) -> bool {
        if let Some(first) = self.places.get(text) {
            problems.push(ResolveError::Redefined { name: text.into(), span, first: *first }.into());
            return false;
        }
        self.places.insert(text.to_owned(), span);
        true
    }
}

/// Builds the tables of all loaded files. Files stand after those they use.
#[must_use]
pub fn resolve<'a>(loaded: &'a [Loaded], problems: &mut Vec<Diagnostic>) -> Vec<Module<'a>> {
    let mut modules: Vec<Module<'a>> = Vec::with_capacity(loaded.len());
    for (position, file) in loaded.iter().enumerate() {
        let mut module = Module { name: &file.name, ..Module::default() };
        let mut uses = file.uses.iter();
        for item in &file.document.items {
            match &item.kind {
                ItemKind::Use(used) => {
                    if let Some(Some(from)) = uses.next() {
                        import(&mut module, used, *from, &modules, problems);
                    }
                }
                ItemKind::Let { name, value } => {
                    if module.introduce(&name.text, name.span, problems) {
                        module.lets.insert(&name.text, LetRef { name, value, module: position });
                        module.order.push(&name.text);
                    }
                }
                ItemKind::Pattern(declaration) => {
                    if module.introduce(&declaration.name.text, declaration.name.span, problems) {
                        module.patterns.insert(&declaration.name.text, PatternRef { declaration, module: position });
                    }
                }
                ItemKind::Secret { .. } | ItemKind::Function(_) | ItemKind::Topology(_) | ItemKind::Action(_) | ItemKind::Check(_) => {
                    let what = "this declaration".to_owned();
                    problems.push(ExpandError::NotInThisVersion { what, span: item.span }.into());
                }
                ItemKind::Scenario(declaration) => {
                    let name = &declaration.name;
                    if let Some(first) = module.scenario_places.insert(&name.text, name.span) {
                        problems.push(ResolveError::Redefined { name: name.text.clone(), span: name.span, first }.into());
                    }
                    module.scenarios.push(ScenarioRef { doc: &item.doc, span: item.span, declaration });
                }
            }
        }
        modules.push(module);
    }
    modules
}

/// Makes the names of one `use` known.
fn import<'a>(module: &mut Module<'a>, used: &'a Use, from: usize, modules: &[Module<'a>], problems: &mut Vec<Diagnostic>) {
    let Some(source) = modules.get(from) else { return };
    if used.names.is_empty() {
        qualify(module, used, from, problems);
        return;
    }
    if let Some(alias) = &used.alias
        && module.introduce(&alias.text, alias.span, problems)
    {
        module.qualifiers.insert(alias.text.clone(), from);
    }
    for name in &used.names {
        let text = name.text.as_str();
        let own = source.patterns.get(text).filter(|p| p.module == from).map(|p| p.declaration.name.span);
        let declared = own.or(source.lets.get(text).filter(|l| l.module == from).map(|l| l.name.span));
        let Some(declared) = declared else {
            let known = exported(source, from);
            let help = suggest(text, known.iter().copied());
            problems.push(ResolveError::UnknownImport { module: source.name.into(), name: text.into(), span: name.span, help }.into());
            continue;
        };
        if text.starts_with('_') {
            problems.push(ResolveError::Private { name: text.into(), span: name.span, declared }.into());
            continue;
        }
        if module.introduce(text, name.span, problems) {
            if let Some(pattern) = source.patterns.get(text) {
                module.patterns.insert(text, *pattern);
            }
            if let Some(value) = source.lets.get(text) {
                module.lets.insert(text, *value);
            }
        }
    }
}

/// Makes a module known under its qualifiers.
fn qualify(module: &mut Module<'_>, used: &Use, from: usize, problems: &mut Vec<Diagnostic>) {
    let last = match (&used.alias, &used.from) {
        (Some(alias), _) => Some((alias.text.as_str(), alias.span)),
        (None, UseFrom::Module(words)) => words.last().map(|word| (word.text.as_str(), word.span)),
        (None, UseFrom::File(path)) => load::stem(&path.value).map(|stem| (stem, path.span)),
    };
    if let Some((name, span)) = last
        && module.introduce(name, span, problems)
    {
        module.qualifiers.insert(name.to_owned(), from);
    }
    if let UseFrom::Module(words) = &used.from {
        module.qualifiers.insert(words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join("."), from);
    }
}

/// The names another file may import.
#[must_use]
pub fn exported<'a>(module: &Module<'a>, position: usize) -> Vec<&'a str> {
    let patterns = module.patterns.iter().filter(|(_, p)| p.module == position).map(|(name, _)| *name);
    let values = module.lets.iter().filter(|(_, l)| l.module == position).map(|(name, _)| *name);
    patterns.chain(values).filter(|name| !name.starts_with('_')).collect()
}
