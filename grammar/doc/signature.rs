//! How a declaration is called. In: a declaration and its text. Out: its first line as code: keyword, name, parameters with types and
//! defaults, and a value's or a function's expression.

use crate::source::Span;
use crate::syntax::tree::{Item, ItemKind, ParamDecl};

/// A signature that is longer stands on several lines, in characters.
const WIDTH: usize = 100;

/// The keyword and the name of what an item declares.
pub(super) fn declared(item: &Item) -> Option<(&'static str, &str)> {
    Some(match &item.kind {
        ItemKind::Use(_) => return None,
        ItemKind::Let { name, .. } => ("let", &name.text),
        ItemKind::Secret { name, .. } => ("secret", &name.text),
        ItemKind::Function(function) => ("fn", &function.name.text),
        ItemKind::Pattern(pattern) => ("pattern", &pattern.name.text),
        ItemKind::Topology(template) => ("topology", &template.name.text),
        ItemKind::Action(template) => ("action", &template.name.text),
        ItemKind::Check(template) => ("check", &template.name.text),
        ItemKind::Scenario(scenario) => ("scenario", &scenario.name.text),
    })
}

/// How it is called.
pub(super) fn signature(text: &str, item: &Item) -> String {
    let (keyword, name) = declared(item).unwrap_or(("use", ""));
    let with = |params: &[ParamDecl]| format!("{keyword} {name}{}", parameters(text, params));
    match &item.kind {
        ItemKind::Use(_) | ItemKind::Scenario(_) => format!("{keyword} {name}"),
        ItemKind::Let { value, .. } => format!("{keyword} {name} = {}", one_line(text, value.span)),
        ItemKind::Secret { variable, .. } => format!("{keyword} {name} from env {}", variable.text),
        ItemKind::Function(function) => format!("{} = {}", with(&function.params), one_line(text, function.value.span)),
        ItemKind::Pattern(pattern) => with(&pattern.params),
        ItemKind::Topology(template) => with(&template.params),
        ItemKind::Action(template) => with(&template.params),
        ItemKind::Check(template) => with(&template.params),
    }
}

fn parameters(text: &str, params: &[ParamDecl]) -> String {
    if params.is_empty() {
        return String::new();
    }
    let all: Vec<String> = params.iter().map(|param| one_line(text, param.span)).collect();
    let joined = format!("({})", all.join(", "));
    if joined.chars().count() <= WIDTH { joined } else { format!("(\n    {},\n)", all.join(",\n    ")) }
}

/// The words at a place, on one line.
pub(super) fn one_line(text: &str, span: Span) -> String {
    let words = text.get(span.start as usize..span.end as usize).unwrap_or("");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
