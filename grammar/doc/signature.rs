//! How a declaration is called. In: a declaration and its text. Out: its first line as code: keyword, name, parameters with types and
//! defaults, and a value's or a function's expression.

use crate::source::Span;
use crate::syntax::tree::{Item, ItemKind, ParamDecl};

/// A signature that is longer stands on several lines, in characters.
const WIDTH: usize = 100;

/// How it is called.
pub(super) fn signature(text: &str, item: &Item) -> String {
    let (keyword, name) = (item.kind.keyword(), item.kind.name().map_or("", |name| &name.text));
    match &item.kind {
        ItemKind::Let { value, .. } => format!("{keyword} {name} = {}", one_line(text, value.span)),
        ItemKind::Secret { variable, .. } => format!("{keyword} {name} from env {}", variable.text),
        kind => {
            let head = format!("{keyword} {name}{}", parameters(text, kind.params()));
            if let ItemKind::Function(function) = kind { format!("{head} = {}", one_line(text, function.value.span)) } else { head }
        }
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
