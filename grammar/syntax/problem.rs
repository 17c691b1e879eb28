//! What can be wrong with the writing of a text. In: facts and places from the syntax stage. Out: diagnostics with stable
//! codes, messages and help. Finds nothing itself.

use crate::diagnostics::Diagnostic;
use crate::diagnostics::problem::{at, problems};
use crate::quantity::LiteralError;
use crate::source::Span;

problems! {
    /// One syntax error.
    SyntaxError {
        /// A control byte: this is no text.
        NotText { span: Span, byte: u8 } Error "scn::syntax::not_text" {
            at(span, "this is not a text", format!("a byte 0x{byte:02x}, which no text contains")).help("a scenario is a UTF-8 text; see whether the right file is named")
        }
        /// A line end that is none of ours.
        LoneReturn { span: Span } Error "scn::syntax::line_end" {
            at(span, "a carriage return without a line feed", "this line ends here")
                .help("end lines with a line feed (\\n), or with both (\\r\\n)")
        }
        /// Quotes that are not closed.
        UnterminatedText { span: Span } Error "scn::syntax::unterminated_text" {
            at(span, "the text is not closed", "begins here, no `\"` on this line")
                .help("close it on the same line, or use `\"\"\"` for a text over lines")
        }
        /// Three quotes that are not closed.
        UnterminatedLongText { span: Span } Error "scn::syntax::unterminated_text" {
            at(span, "the text over lines is not closed", "begins here, no second `\"\"\"`").help("close it with `\"\"\"`")
        }
        /// A `/` without its second.
        UnterminatedRegex { span: Span } Error "scn::syntax::unterminated_regex" {
            at(span, "the regex is not closed", "no second `/` on this line")
                .help("a regex stands between two `/`; inside it a slash is written `\\/`")
        }
        /// A `{` without `}`.
        UnclosedBlock { open: Span, noticed: Option<Span> } Error "scn::syntax::unclosed_block" {
            let problem = at(open, "the block is not closed", "no `}` for this `{`");
            match noticed {
                Some(noticed) => problem.also(noticed, "it seems to end before this").help("add `}` before that line"),
                None => problem.help("add `}` after its last statement"),
            }
        }
        /// A `(` or `[` without its other half.
        UnclosedParenthesis { open: Span, bracket: char, noticed: Option<Span> } Error "scn::syntax::unclosed_parenthesis" {
            let close = if bracket == '[' { ']' } else { ')' };
            let problem = at(open, format!("`{bracket}` is not closed"), format!("no `{close}` for this")).help(format!("add `{close}`"));
            match noticed {
                Some(noticed) => problem.also(noticed, "a block cannot begin or end inside it"),
                None => problem,
            }
        }
        /// A `}` without `{`.
        StrayBrace { span: Span } Error "scn::syntax::stray_brace" {
            at(span, "`}` closes nothing", "no block is open here").help("remove it, or look for a `}` too many further up")
        }
        /// A `{` at the start of a line.
        BraceOnOwnLine { span: Span, head: Span } Error "scn::syntax::brace_position" {
            at(span, "`{` stands on a line of its own", "a new line ended the statement before")
                .also(head, "this is the statement it belongs to")
                .help("write `{` at the end of that line")
        }
        /// A `{` without words before it.
        BlockWithoutHead { span: Span } Error "scn::syntax::brace_position" {
            at(span, "a block of nothing", "no word says what this block is").help("write its keyword before `{`, such as `topology {`")
        }
        /// A block after a statement that takes none.
        UnexpectedBlock { span: Span, after: String } Error "scn::syntax::unexpected_block" {
            at(span, format!("{after} takes no block"), "this block").help("remove the block; a new line or `;` ends a statement")
        }
        /// A statement that needs a block.
        MissingBlock { span: Span, after: String } Error "scn::syntax::missing_block" {
            at(span, format!("{after} needs a block"), "expected `{` after this").help("write `{ ... }` after it, with `{` on the same line")
        }
        /// Nesting beyond the limit.
        TooDeep { span: Span, what: &'static str, limit: usize } Error "scn::syntax::too_deep" {
            at(span, format!("{what} is nested deeper than {limit}"), "too deep here").help("take the inner parts out; `let` gives a value a name")
        }
        /// A statement beyond the limit.
        TooLong { span: Span, limit: usize } Error "scn::syntax::too_deep" {
            at(span, format!("the statement is longer than {} KiB", limit / 1024), "begins here")
                .help("see whether a quote or a parenthesis is missing, or cut it into several")
        }
        /// Too many errors: the rest is not shown.
        TooMany { span: Span, limit: usize } Error "scn::syntax::too_many" {
            at(span, format!("more than {limit} syntax errors"), "from here on not shown").help("mend the errors above first")
        }
        /// Something else should stand here.
        Expected { span: Span, wanted: String, found: String, help: Option<String> } Error "scn::syntax::expected" {
            Diagnostic { help, ..at(span, format!("expected {wanted}, found {}", cut(&found)), "not expected here") }
        }
        /// A first word that begins no statement.
        UnknownStatement { span: Span, word: String, place: &'static str, nearest: Option<String>, words: &'static [&'static str] }
            Error "scn::syntax::unknown_statement" {
            let help = match nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("{place} can stand: {}", quoted_list(words)),
            };
            at(span, format!("`{}` begins no statement {place}", cut(&word)), "not known here").help(help)
        }
        /// A first word that begins a statement elsewhere.
        Misplaced { span: Span, word: String, place: &'static str, belongs: &'static str } Error "scn::syntax::misplaced" {
            at(span, format!("`{word}` cannot stand {place}"), "out of place").help(format!("`{word}` stands {belongs}"))
        }
        /// `scn 1` not first.
        VersionNotFirst { span: Span } Error "scn::syntax::misplaced" {
            at(span, "`scn` is not the first statement", "out of place").help("`scn 1` stands once, before everything else")
        }
        /// `else` after something else than the block of an `if`.
        ElseWithoutIf { span: Span } Error "scn::syntax::else_without_if" {
            at(span, "`else` without `if`", "no `if` before this").help("an `else` follows the block of an `if`: `if c { ... } else { ... }`")
        }
        /// `steady.loss == 0%` where statements of another kind stand.
        ExpectationOutside { span: Span, place: &'static str } Error "scn::syntax::misplaced" {
            at(span, format!("an expectation cannot stand {place}"), "out of place").help("write it in `expect { ... }`")
        }
        /// `topology NAME(params)` inside a scenario.
        NamedTopology { span: Span } Error "scn::syntax::misplaced" {
            at(span, "a topology with a name cannot stand in a scenario", "out of place")
                .help("declare it at top level; in a scenario write `topology { NAME(...) as site }`")
        }
        /// No `scn 1`.
        MissingVersion { span: Span } Error "scn::syntax::missing_version" {
            at(span, "the file does not say which version of the language it is written in", "before this")
                .help("add `scn 1` as the first line")
        }
        /// `scn 2`.
        NewerVersion { span: Span, number: String } Error "scn::syntax::newer_version" {
            at(span, format!("the file is written in version {number} of the language; this program knows version 1"), "not known")
                .help("use a newer scn for this file; if it needs nothing new, write `scn 1`")
        }
        /// An entry that may stand once stands twice.
        SaidTwice { span: Span, first: Span, word: &'static str } Error "scn::syntax::said_twice" {
            at(span, format!("{word} is said twice"), "the second one").also(first, "the first one").help("keep one of them")
        }
        /// A unit that does not exist.
        UnknownUnit { span: Span, error: LiteralError } Error "scn::syntax::unknown_unit" {
            at(span, error.to_string(), error.label()).help(error.help())
        }
        /// A blank between a number and its unit.
        BlankBeforeUnit { span: Span, number: String, unit: String } Error "scn::syntax::unknown_unit" {
            at(span, format!("a blank between the number and its unit `{}`", cut(&unit)), "belongs to the number before it")
                .help(format!("write `{}`", cut(&format!("{number}{unit}"))))
        }
        /// A unit that people read in two ways.
        AmbiguousUnit { span: Span, error: LiteralError } Error "scn::syntax::ambiguous_unit" {
            at(span, error.to_string(), error.label()).help(error.help())
        }
        /// A number that is no quantity.
        BadNumber { span: Span, error: LiteralError } Error "scn::syntax::bad_number" {
            at(span, error.to_string(), error.label()).help(error.help())
        }
        /// An address, prefix or MAC address that is none.
        BadAddress { span: Span, written: String, reason: String } Error "scn::syntax::bad_address" {
            at(span, format!("`{}` is not an address", cut(&written)), reason)
                .help("addresses are written `10.0.0.1` or `2001:db8::1`, prefixes `10.0.0.1/24`")
        }
        /// A backslash with a character that means nothing.
        BadEscape { span: Span, written: String } Error "scn::syntax::bad_escape" {
            at(span, format!("`{}` means nothing in a text", cut(&written)), "unknown escape")
                .help("known are \\n \\r \\t \\0 \\\\ \\\" \\$ \\x41 \\u{e9}; a raw text r\"...\" has no escapes, hex\"...\" any byte")
        }
        /// `${` without `}`.
        BadHole { span: Span } Error "scn::syntax::bad_hole" {
            at(span, "`${` is not closed", "no `}` for this in the text").help("write `${name}`; a dollar sign before a brace is written `\\$`")
        }
        /// `hex"..."` with something else than pairs of digits.
        BadBytes { span: Span, reason: String } Error "scn::syntax::bad_bytes" {
            at(span, "these are not bytes", reason).help("bytes are pairs of hex digits: hex\"00 11 ff\"")
        }
    }
}

impl SyntaxError {
    /// A number and unit that make no quantity.
    pub fn literal(span: Span, error: LiteralError) -> Self {
        let error = shortened(error);
        match error {
            LiteralError::UnknownUnit { number, unit } if is_no_unit(&unit) => {
                SyntaxError::BadNumber { span, error: LiteralError::NotANumber { written: number + &unit } }
            }
            LiteralError::UnknownUnit { .. } => SyntaxError::UnknownUnit { span, error },
            LiteralError::AmbiguousUnit { .. } => SyntaxError::AmbiguousUnit { span, error },
            _ => SyntaxError::BadNumber { span, error },
        }
    }
}

/// How many characters of a piece of the text a message repeats.
const LONGEST_QUOTE: usize = 60;

/// The beginning of something written, with `…` for the rest; a closing backtick stays.
fn cut(written: &str) -> String {
    let Some((end, _)) = written.char_indices().nth(LONGEST_QUOTE) else { return written.to_owned() };
    let close = if written.starts_with('`') && written.ends_with('`') { "`" } else { "" };
    format!("{}…{close}", &written[..end])
}

/// An error whose message repeats no more of the text than people read.
fn shortened(error: LiteralError) -> LiteralError {
    match error {
        LiteralError::NotANumber { written } => LiteralError::NotANumber { written: cut(&written) },
        LiteralError::UnknownUnit { number, unit } => LiteralError::UnknownUnit { number: cut(&number), unit: cut(&unit) },
        LiteralError::AmbiguousUnit { number, unit, ways } => LiteralError::AmbiguousUnit { number: cut(&number), unit, ways },
        LiteralError::TooLarge { written } => LiteralError::TooLarge { written: cut(&written) },
        LiteralError::TooFine { written, least } => LiteralError::TooFine { written: cut(&written), least },
    }
}

/// `_000` of `1_000`, `x10` of `0x10`, `e3` of `1e3`: other ways to write a number.
fn is_no_unit(unit: &str) -> bool {
    let digits = unit.trim_start_matches(['_', 'x', 'X', 'e', 'E']);
    digits.len() < unit.len() && digits.starts_with(|c: char| c.is_ascii_digit())
}

fn quoted_list(words: &[&str]) -> String {
    words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}
