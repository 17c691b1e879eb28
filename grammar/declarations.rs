//! What a text declares for others, in canonical form: how two versions of a library differ is told by it. In: a text. Out: its
//! declarations without comments, as the formatter writes them. Scenarios are left out: their plans say more.

use crate::diagnostics::Diagnostic;
use crate::format::format;
use crate::source::FileId;
use crate::syntax::parse;
use crate::syntax::tree::{Item, ItemKind};

/// One declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// `pattern sym`, `let office`; of an import all of it.
    pub name: String,
    /// Name, parameters and value: the first line, without the brace that opens the body.
    pub head: String,
    /// The lines of the body, indented as they are laid out.
    pub body: Vec<String>,
}

/// The declarations of a text but for its scenarios, in the order of the text.
///
/// # Errors
/// The syntax errors of the text.
pub fn declarations(file: FileId, text: &str) -> Result<Vec<Declaration>, Vec<Diagnostic>> {
    let text = format(file, text)?;
    let (document, _) = parse(file, &text);
    let comments: Vec<_> = document.comments.iter().map(|comment| comment.span).collect();
    let plain = |item: &Item| {
        let (mut out, mut at) = (String::new(), item.span.start);
        for comment in comments.iter().filter(|comment| comment.start >= item.span.start && comment.end <= item.span.end) {
            out.push_str(text.get(at as usize..comment.start as usize).unwrap_or(""));
            at = comment.end;
        }
        out.push_str(text.get(at as usize..item.span.end as usize).unwrap_or(""));
        out
    };
    Ok(document.items.iter().filter_map(|item| declaration(item, &plain(item))).collect())
}

fn declaration(item: &Item, text: &str) -> Option<Declaration> {
    if let ItemKind::Use(_) = item.kind {
        let all = text.trim().to_owned();
        return Some(Declaration { name: all.clone(), head: all, body: Vec::new() });
    }
    let (kind, name) = (item.kind.keyword(), item.kind.name().filter(|_| !matches!(item.kind, ItemKind::Scenario(_)))?);
    let mut lines = code_lines(text).into_iter();
    let head = lines.next().unwrap_or_default();
    Some(Declaration { name: format!("{kind} {}", name.text), head: head.trim_end_matches('{').trim().to_owned(), body: lines.collect() })
}

/// The lines that say something: blank ones count only inside a text of several lines.
fn code_lines(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if inside || !line.trim().is_empty() {
            lines.push(if inside { line.to_owned() } else { line.trim_end().to_owned() });
        }
        inside ^= line.matches("\"\"\"").count() % 2 == 1;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Declaration> {
        declarations(FileId(0), text).unwrap()
    }

    #[test]
    fn comments_and_layout_do_not_count() {
        let one = "scn 1\n\n## Doc.\npattern p(n: size) {\n    client sends n # why\n\n    # more\n    server sends 2 * n\n}\nlet a = 3\n";
        let other = "scn 1\npattern p( n : size ) { client sends n; server sends 2*n }\n# c\nlet a=3";
        assert_eq!(of(one).len(), 2);
        let heads = |text: &str| of(text).into_iter().map(|d| (d.name, d.head)).collect::<Vec<_>>();
        assert_eq!(heads(one)[0], ("pattern p".to_owned(), "pattern p(n: size)".to_owned()));
        assert_eq!(heads(one)[1].1, "let a = 3");
        assert_eq!(heads(other)[1].1, "let a = 3");
        assert!(of("scn 1\n\npattern p(n: size) {\n    client sends n\n}\n")[0].body != of(one)[0].body);
    }

    #[test]
    fn a_text_with_errors_is_refused() {
        assert!(declarations(FileId(0), "scn 1\nlet a = (\n").is_err());
    }
}
