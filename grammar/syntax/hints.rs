//! What was probably meant where a statement stopped making sense: signs and words of other languages, a forgotten brace or
//! comma. In: the text and the place. Out: a sentence of help, or none. Decides no error.

use std::ops::Range;

use super::expected::could_end;
use super::parser::{Kind, Wanted};

/// What a statement of this kind is usually meant to be where it stops at `token`.
pub(super) fn of_statement(text: &str, entry: Kind, head: &Range<usize>, at: usize, token: &str, wanted: &[Wanted]) -> Option<String> {
    let offers = |sign: &str| wanted.iter().any(|w| w.words.contains(sign));
    let word = token.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let help = match (entry, token) {
        (Kind::LinkLine, _) if offers("`<->`") && !token.is_empty() => "a link is written `a <-> b`".to_owned(),
        (Kind::SecretLine, _) => "a secret is never written in a file: `secret token from env TOKEN`".to_owned(),
        (Kind::FnLine, _) if offers("`(`") || offers("`=`") => "a function is written `fn twice(d: duration) = d * 2`".to_owned(),
        (Kind::UseLine, ".") => "a file stands in quotes: `use \"./topologies.scn\"`".to_owned(),
        (Kind::UseLine, _) if word => "names stand in parentheses: `use std.patterns (sym)`".to_owned(),
        (Kind::ServicePart, _) if offers("`:PORT`") && token.bytes().all(|b| b.is_ascii_digit()) && !token.is_empty() => {
            format!("write `:{token}`")
        }
        (Kind::FlowLine, ",") => "a flow starts at one node and goes to one target; `client[*]` is each of several".to_owned(),
        (Kind::FlowPart | Kind::ServicePart, _) if after_call_word(text, head, at) => {
            "arguments stand in parentheses: `sym(1KiB)`".to_owned()
        }
        (Kind::OptionsLine | Kind::FlowPart | Kind::ProcessPart | Kind::SettingLine, "=" | ":") => {
            format!("a value follows its word, without `{token}`")
        }
        (Kind::OptionsLine | Kind::FlowPart | Kind::ProcessPart, _) if after_comma(text, head, at) => {
            "options are separated by blanks or new lines, not by `,`".to_owned()
        }
        (Kind::NodesLine | Kind::LinkLine | Kind::InterfaceLine | Kind::FlowLine, _) if word && could_end(wanted) => {
            let options = format!("options stand in braces: `{{ {} ... }}`", option_word(text, head, at, token));
            match entry {
                Kind::NodesLine if at + token.len() == head.end => {
                    "names are separated by `,`; a new line or `;` ends a statement".to_owned()
                }
                _ => format!("{options}; a new line or `;` ends a statement"),
            }
        }
        (Kind::TagsLine | Kind::NeedsLine, _) if word && could_end(wanted) => "names are separated by `,`".to_owned(),
        (Kind::ExpectLine | Kind::IfLine | Kind::ExceptLine, "is" | "equals" | "eq") => "`==` compares".to_owned(),
        (Kind::ExpectLine | Kind::IfLine | Kind::ExceptLine, "AND" | "OR" | "NOT") => format!("write `{}`", token.to_lowercase()),
        (_, "=") if could_end(wanted) && !text[..at].ends_with(['<', '>']) => "`==` compares".to_owned(),
        (_, "==") if offers("`=`") => "`=` gives a value, `==` compares".to_owned(),
        _ if wanted.len() == 1 && offers("`..`") => "a window is written `during 1s..2s`".to_owned(),
        _ if token.starts_with(|c: char| c.is_ascii_digit())
            && wanted.iter().any(|w| w.words.ends_with(" name") || w.words == "a name") =>
        {
            "a name begins with a letter or `_`".to_owned()
        }
        _ => return None,
    };
    Some(help)
}

/// The word before `at` follows `pattern` or `serve`: `pattern sym 1KiB`.
fn after_call_word(text: &str, head: &Range<usize>, at: usize) -> bool {
    let mut words = text[head.start..at].split_whitespace().rev();
    let name = words.next().is_some_and(|word| !word.ends_with(')'));
    name && matches!(words.next(), Some("pattern" | "serve")) && text[at..].starts_with(|c: char| c.is_ascii_digit() || c == '"')
}

/// `rate 5/s, total 5`: it stopped one word after a comma.
fn after_comma(text: &str, head: &Range<usize>, at: usize) -> bool {
    let before = text[head.start..at].trim_end();
    let word = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    word.trim_end().ends_with(',')
}

/// The word that was meant as an option: the found one, or that before a found value.
fn option_word<'t>(text: &'t str, head: &Range<usize>, at: usize, token: &'t str) -> &'t str {
    if token.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return token;
    }
    text[head.start..at].split_whitespace().next_back().filter(|w| w.bytes().all(|b| b.is_ascii_alphabetic())).unwrap_or("mtu")
}

/// Signs that other languages use.
pub(super) fn of_character(text: &str, at: usize) -> Option<String> {
    let (before, rest) = (&text[..at], &text[at..]);
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let (last, next) = (before.chars().next_back(), rest.chars().nth(1));
    let glued = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let help = match rest.chars().next()? {
        '“' | '”' | '„' | '«' | '»' => "texts stand in straight quotes: \"like this\"",
        '\'' | '‘' | '’' => "texts stand in double quotes: \"like this\"",
        '&' => "write `and`",
        '|' => "write `or`",
        '!' => "write `not`, or `!=` to compare",
        '?' => "write `if c then a else b`",
        '=' if rest.starts_with("=<") || last == Some('<') => "write `<=`",
        '=' if rest.starts_with("=>") || last == Some('>') => "write `>=`",
        '<' if rest.starts_with("<>") => "write `!=`",
        '>' if last == Some('<') => "write `!=`",
        '>' if last == Some('-') => "a link is written `a <-> b`",
        '-' if rest.starts_with("->") => "a link is written `a <-> b`",
        '-' if rest.starts_with("--") => "a comment begins with `#`",
        '-' if glued(last) && glued(next) => "a name has letters, digits and `_`",
        '/' if matches!(next, Some('/' | '*')) && last != Some(':') => "a comment begins with `#`",
        ',' if digit(last) && digit(next) => "a fraction is written with a point: `1.5`",
        '.' if digit(next) && !digit(last) && last != Some('.') => "a number begins with a digit: `0.5`",
        '.' if digit(last) && !digit(next) => "a digit follows the point: `5.0`, or write `5`",
        '`' => "a name in backticks has letters, digits and `_`",
        '\u{a0}' => "this is a no-break space; write a plain blank",
        _ => return None,
    };
    Some(help.to_owned())
}

/// What a word of another language is called here.
pub(super) fn of_foreign_word(word: &str) -> Option<&'static str> {
    Some(match word {
        "elif" | "elsif" | "elseif" => "else if",
        "import" | "include" | "require" => "use",
        "def" | "func" | "function" => "fn",
        "var" | "const" => "let",
        "foreach" | "loop" | "while" => "for",
        "test" | "testcase" => "scenario",
        "switch" => "bridge",
        "connect" | "wire" => "link",
        "wait" | "sleep" => "pause",
        "assert" | "asserts" | "assertions" | "expectations" => "expect",
        "events" | "steps" => "timeline",
        _ => return None,
    })
}
