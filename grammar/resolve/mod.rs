//! Gives every name its meaning. In: documents. Out: tables of declarations, and diagnostics. Computes no value and expands
//! nothing.

pub mod error;
pub mod load;
pub mod module;
pub mod suggest;

use std::collections::BTreeSet;

use crate::diagnostics::Diagnostic;
use crate::source::{FileId, Span};
use crate::syntax::tree::{ItemKind, Name, Use, UseFrom};
pub use error::ResolveError;
pub use load::Loaded;
pub use module::{Declarations, FunctionRef, LetRef, LetValue, Module, PatternRef, ScenarioRef, TemplateRef};
use suggest::suggest;

/// A place where an import names what another file declares.
#[derive(Debug, Clone, Copy)]
pub struct Imported {
    /// The name in the `use`.
    pub span: Span,
    /// The declaration.
    pub declared: Span,
}

/// The tables of every file of a check.
#[derive(Debug, Default)]
pub struct Resolved<'a> {
    /// Files stand after those they use.
    pub modules: Vec<Module<'a>>,
    /// Imports by name, for whoever follows names to their declarations.
    pub imported: Vec<Imported>,
    /// The names that a `use` would have made known in a file if it could be read. That they are not known needs no words.
    pub missing: BTreeSet<(FileId, String)>,
}

/// Builds the tables of all loaded files. Files stand after those they use.
#[must_use]
pub fn resolve<'a>(loaded: &'a [Loaded], problems: &mut Vec<Diagnostic>) -> Resolved<'a> {
    let mut resolved = Resolved::default();
    for (position, file) in loaded.iter().enumerate() {
        let mut module = Module::named(&file.name);
        let mut uses = file.uses.iter();
        for item in &file.document.items {
            match &item.kind {
                ItemKind::Use(used) => {
                    if let Some(Some(from)) = uses.next() {
                        import(&mut module, used, *from, &mut resolved, problems);
                    } else {
                        resolved.missing.extend(introduced(used).map(|(name, span)| (span.file, name.to_owned())));
                    }
                }
                _ => module.declare(item, position, problems),
            }
        }
        resolved.modules.push(module);
    }
    resolved
}

/// Makes the names of one `use` known.
fn import<'a>(module: &mut Module<'a>, used: &'a Use, from: usize, resolved: &mut Resolved<'a>, problems: &mut Vec<Diagnostic>) {
    let Some(source) = resolved.modules.get(from) else { return };
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
        if let Some(declared) = import_name(module, name, (source, from), problems) {
            resolved.imported.push(Imported { span: name.span, declared });
        }
    }
}

/// Makes one name of another file known. Gives its declaration's place.
fn import_name<'a>(
    module: &mut Module<'a>,
    name: &'a Name,
    (source, from): (&Module<'a>, usize),
    problems: &mut Vec<Diagnostic>,
) -> Option<Span> {
    let text = name.text.as_str();
    let Some(declared) = source.own_place(text, from) else {
        let known = source.exported(from);
        let help = suggest(text, known.iter().copied());
        problems.push(ResolveError::UnknownImport { module: source.name.into(), name: text.into(), span: name.span, help }.into());
        return None;
    };
    if text.starts_with('_') {
        problems.push(ResolveError::Private { name: text.into(), span: name.span, declared }.into());
        return None;
    }
    if module.introduce(text, name.span, problems) {
        module.copy(source, text);
    }
    Some(declared)
}

/// The names that a `use` makes known: those that it lists, its alias, or else the module's own.
fn introduced(used: &Use) -> impl Iterator<Item = (&str, Span)> {
    let alias = used.alias.iter().map(|alias| (alias.text.as_str(), alias.span));
    let last = if used.names.is_empty() && used.alias.is_none() { own_name(used) } else { None };
    used.names.iter().map(|name| (name.text.as_str(), name.span)).chain(alias).chain(last)
}

/// What a module is called without an alias.
fn own_name(used: &Use) -> Option<(&str, Span)> {
    match &used.from {
        UseFrom::Module(words) => words.last().map(|word| (word.text.as_str(), word.span)),
        UseFrom::File(path) => load::stem(&path.value).map(|stem| (stem, path.span)),
    }
}

/// Makes a module known under its qualifiers.
fn qualify(module: &mut Module<'_>, used: &Use, from: usize, problems: &mut Vec<Diagnostic>) {
    if let Some((name, span)) = introduced(used).next()
        && module.introduce(name, span, problems)
    {
        module.qualifiers.insert(name.to_owned(), from);
    }
    if let UseFrom::Module(words) = &used.from {
        module.qualifiers.insert(words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join("."), from);
    }
}
