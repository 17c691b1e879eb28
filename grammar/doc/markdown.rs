//! Words as CommonMark that means nothing but them. In: any text. Out: Markdown.

/// A text; what stands between two backticks is code, everything else stays as it is read.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        plain(&rest[..at], &mut out);
        let after = &rest[at + 1..];
        match after.find('`') {
            Some(0) | None => {
                out.push_str("\\`");
                rest = after;
            }
            Some(end) => {
                out.push_str(&code(&after[..end]));
                rest = &after[end + 1..];
            }
        }
    }
    plain(rest, &mut out);
    out
}

/// Escapes every sign that CommonMark or HTML may take for markup. Only words, digits, blanks and the signs of plain sentences stay.
fn plain(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            '\r' | '\n' => out.push(' '),
            // A list or a heading begins with such a sign.
            '-' | '+' | '=' if out.trim_start().is_empty() => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

/// A text as code in a line.
pub(super) fn code(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A text as a block of code.
pub(super) fn fenced(text: &str) -> String {
    let fence = "`".repeat((longest_run(text) + 1).max(3));
    format!("{fence}scn\n{text}\n{fence}\n")
}

/// Backticks in a row: the most there are.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
