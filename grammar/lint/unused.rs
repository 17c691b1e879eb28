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

/// What an item declares, in words.
fn declared(item: &Item) -> Option<(&'static str, &Name)> {
    let words = match item.kind.keyword() {
        "let" => "value",
        "fn" => "function",
        "scenario" => return None,
        keyword => keyword,
    };
    item.kind.name().map(|name| (words, name))
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
    let Some((what, name)) = declared(item) else { return };
    for param in item.kind.params() {
        parameter(words, &format!("the {what} `{}`", name.text), item.span, param, problems);
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
