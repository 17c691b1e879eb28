//! Declarations and parameters that nothing uses. In: a file's declarations and words. Out: warnings. What a file without scenarios
//! declares is there for others, but for names that begin with `_`; a parameter that begins with `_` is unused on purpose.

use super::words::Words;
use super::{LintError, Linted};
use crate::source::Span;
use crate::syntax::tree::{Item, ItemKind, Name, ParamDecl, ScenarioDecl, ScenarioPart, each};

/// Looks at every declaration.
pub(super) fn lint(file: &Linted<'_>, words: &Words<'_>, problems: &mut Vec<LintError>) {
    let items = &file.document.items;
    let is_library = !items.iter().any(|item| matches!(item.kind, ItemKind::Scenario(_)));
    for item in items {
        if let ItemKind::Scenario(scenario) = &item.kind {
            in_scenario(words, item.span, scenario, problems);
            continue;
        }
        let exported = |name: &Name| is_library && !name.text.starts_with('_');
        if let Some((what, name)) = declared(item).filter(|(_, name)| !exported(name)) {
            declaration(words, what, name, |place| !inside(item.span, place), problems);
        }
        parameters_of(words, item, problems);
    }
}

/// What an item declares.
fn declared(item: &Item) -> Option<(&'static str, &Name)> {
    Some(match &item.kind {
        ItemKind::Use(_) | ItemKind::Scenario(_) => return None,
        ItemKind::Let { name, .. } => ("value", name),
        ItemKind::Secret { name, .. } => ("secret", name),
        ItemKind::Function(function) => ("function", &function.name),
        ItemKind::Pattern(pattern) => ("pattern", &pattern.name),
        ItemKind::Topology(template) => ("topology", &template.name),
        ItemKind::Action(template) => ("action", &template.name),
        ItemKind::Check(template) => ("check", &template.name),
    })
}

fn in_scenario(words: &Words<'_>, scenario: Span, declaration: &ScenarioDecl, problems: &mut Vec<LintError>) {
    each(&declaration.body, &mut |part| match part {
        ScenarioPart::Param(param) => {
            parameter(words, &format!("the scenario `{}`", declaration.name.text), scenario, param, problems);
        }
        ScenarioPart::Item(item) => {
            if let Some((what, name)) = declared(item) {
                self::declaration(words, what, name, |place| inside(scenario, place) && !inside(item.span, place), problems);
            }
            parameters_of(words, item, problems);
        }
        _ => {}
    });
}

fn declaration(words: &Words<'_>, what: &'static str, name: &Name, within: impl Fn(Span) -> bool, problems: &mut Vec<LintError>) {
    if !words.is_used(&name.text, name.span, within) {
        problems.push(LintError::UnusedDeclaration { what, name: name.text.clone(), span: name.span });
    }
}

fn parameters_of(words: &Words<'_>, item: &Item, problems: &mut Vec<LintError>) {
    let (keyword, name, params) = match &item.kind {
        ItemKind::Function(function) => ("function", &function.name, &function.params),
        ItemKind::Pattern(pattern) => ("pattern", &pattern.name, &pattern.params),
        ItemKind::Topology(template) => ("topology", &template.name, &template.params),
        ItemKind::Action(template) => ("action", &template.name, &template.params),
        ItemKind::Check(template) => ("check", &template.name, &template.params),
        ItemKind::Use(_) | ItemKind::Let { .. } | ItemKind::Secret { .. } | ItemKind::Scenario(_) => return,
    };
    for param in params {
        parameter(words, &format!("the {keyword} `{}`", name.text), item.span, param, problems);
    }
}

fn parameter(words: &Words<'_>, of: &str, within: Span, param: &ParamDecl, problems: &mut Vec<LintError>) {
    let name = &param.name;
    // `rate: rate`: the type is no use.
    let is_type = |place: Span| param.kind.as_ref().is_some_and(|kind| kind.span == place);
    if !name.text.starts_with('_') && !words.is_used(&name.text, name.span, |place| inside(within, place) && !is_type(place)) {
        problems.push(LintError::UnusedParameter { name: name.text.clone(), of: of.to_owned(), span: name.span });
    }
}

fn inside(outer: Span, place: Span) -> bool {
    outer.start <= place.start && place.end <= outer.end
}
