//! What can be wrong with the writing of a text. In: facts and places from the syntax stage. Out: diagnostics with stable
//! codes, messages and help. Finds nothing itself.

use crate::diagnostics::Diagnostic;
use crate::quantity::LiteralError;
use crate::source::Span;

/// One syntax error.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SyntaxError {
    /// A NUL byte or the like: this is no text.
    NotText { span: Span, byte: u8 },
    /// Quotes that are not closed.
    UnterminatedText { span: Span, long: bool },
    /// A `/` without its second.
    UnterminatedRegex { span: Span },
    /// A `{` without `}`.
    UnclosedBlock { open: Span, noticed: Option<Span> },
    /// A `(` or `[` without its other half.
    UnclosedParenthesis { open: Span, bracket: char, noticed: Option<Span> },
    /// A `}` without `{`.
    StrayBrace { span: Span },
    /// A `{` at the start of a line.
    BraceOnOwnLine { span: Span, head: Span },
    /// A `{` without words before it.
    BlockWithoutHead { span: Span },
    /// A block after a statement that takes none.
    UnexpectedBlock { span: Span, after: String },
    /// A statement that needs a block.
    MissingBlock { span: Span, after: String },
    /// Nesting beyond the limit.
    TooDeep { span: Span, what: &'static str, limit: usize },
    /// A statement beyond the limit.
    TooLong { span: Span, limit: usize },
    /// Something else should stand here.
    Expected { span: Span, wanted: String, found: String, help: Option<String> },
    /// A first word that begins no statement.
    UnknownWord { span: Span, word: String, place: &'static str, nearest: Option<String>, words: Vec<&'static str> },
    /// A first word that begins a statement elsewhere.
    Misplaced { span: Span, word: String, place: &'static str, belongs: &'static str },
    /// A part of the language that this version does not have.
    NotInThisVersion { span: Span, what: String },
    /// No `scn 1`.
    MissingVersion { span: Span },
    /// `scn 2`.
    NewerVersion { span: Span, number: String },
    /// `scn 1` twice, or not first.
    VersionNotFirst { span: Span },
    /// A number that is no quantity.
    Literal { span: Span, error: LiteralError },
    /// A blank between a number and its unit.
    BlankBeforeUnit { span: Span, number: String, unit: String },
    /// A word after a number that is no unit.
    UnknownUnitWord { span: Span, unit: String },
    /// An address, prefix or MAC address that is none.
    BadAddress { span: Span, written: String, reason: String },
    /// A backslash with a character that means nothing.
    BadEscape { span: Span, written: String },
    /// `${` without `}`.
    BadHole { span: Span },
    /// `hex"..."` with something else than pairs of digits.
    BadBytes { span: Span, reason: String },
    /// A regex that cannot be compiled.
    BadRegex { span: Span, reason: String },
    /// An entry that may stand once stands twice.
    SaidTwice { span: Span, first: Span, word: &'static str },
    /// Too many errors: the rest was left unread.
    TooMany { span: Span, limit: usize },
}

impl SyntaxError {
    /// The place that decides the order of reports.
    pub fn span(&self) -> Span {
        match self {
            Self::UnclosedBlock { open, .. } | Self::UnclosedParenthesis { open, .. } => *open,
            Self::NotText { span, .. }
            | Self::UnterminatedText { span, .. }
            | Self::UnterminatedRegex { span }
            | Self::StrayBrace { span }
            | Self::BraceOnOwnLine { span, .. }
            | Self::BlockWithoutHead { span }
            | Self::UnexpectedBlock { span, .. }
            | Self::MissingBlock { span, .. }
            | Self::TooDeep { span, .. }
            | Self::TooLong { span, .. }
            | Self::Expected { span, .. }
            | Self::UnknownWord { span, .. }
            | Self::Misplaced { span, .. }
            | Self::NotInThisVersion { span, .. }
            | Self::MissingVersion { span }
            | Self::NewerVersion { span, .. }
            | Self::VersionNotFirst { span }
            | Self::Literal { span, .. }
            | Self::BlankBeforeUnit { span, .. }
            | Self::UnknownUnitWord { span, .. }
            | Self::BadAddress { span, .. }
            | Self::BadEscape { span, .. }
            | Self::BadHole { span }
            | Self::BadBytes { span, .. }
            | Self::BadRegex { span, .. }
            | Self::SaidTwice { span, .. }
            | Self::TooMany { span, .. } => *span,
        }
    }
}

impl From<SyntaxError> for Diagnostic {
    fn from(problem: SyntaxError) -> Diagnostic {
        use SyntaxError as E;
        match problem {
            E::NotText { .. }
            | E::UnterminatedText { .. }
            | E::UnterminatedRegex { .. }
            | E::UnclosedBlock { .. }
            | E::UnclosedParenthesis { .. }
            | E::StrayBrace { .. }
            | E::BraceOnOwnLine { .. }
            | E::BlockWithoutHead { .. }
            | E::UnexpectedBlock { .. }
            | E::MissingBlock { .. }
            | E::TooDeep { .. }
            | E::TooLong { .. }
            | E::TooMany { .. } => structure(problem),
            E::Expected { .. }
            | E::UnknownWord { .. }
            | E::Misplaced { .. }
            | E::NotInThisVersion { .. }
            | E::MissingVersion { .. }
            | E::NewerVersion { .. }
            | E::VersionNotFirst { .. }
            | E::SaidTwice { .. } => statement(problem),
            _ => literal(problem),
        }
    }
}

/// Braces, quotes and limits.
fn structure(problem: SyntaxError) -> Diagnostic {
    use SyntaxError as E;
    match problem {
        E::NotText { span, byte } => {
            Diagnostic::error("scn::syntax::not_text", span, "this is not a text", format!("a byte 0x{byte:02x}, which no text contains"))
                .help("a scenario is a UTF-8 text; see whether the right file is named")
        }
        E::UnterminatedText { span, long } => {
            let quotes = if long { "`\"\"\"`" } else { "`\"`" };
            let help = if long { "close it with `\"\"\"`" } else { "close it on the same line, or use `\"\"\"` for a text over lines" };
            let label = format!("begins here, no closing {quotes}");
            Diagnostic::error("scn::syntax::unterminated_text", span, "the text is not closed", label).help(help)
        }
        E::UnterminatedRegex { span } => {
            Diagnostic::error("scn::syntax::unterminated_regex", span, "the regex is not closed", "no second `/` on this line")
                .help("a regex stands between two `/`; inside it a slash is written `\\/`")
        }
        E::UnclosedBlock { open, noticed } => {
            let problem = Diagnostic::error("scn::syntax::unclosed_block", open, "the block is not closed", "no `}` for this `{`");
            match noticed {
                Some(noticed) => problem.also(noticed, "it seems to end before this").help("add `}` before that line"),
                None => problem.help("add `}` after its last statement"),
            }
        }
        E::UnclosedParenthesis { open, bracket, noticed } => {
            let close = if bracket == '[' { ']' } else { ')' };
            let message = format!("`{bracket}` is not closed");
            let problem = Diagnostic::error("scn::syntax::unclosed_parenthesis", open, message, format!("no `{close}` for this"))
                .help(format!("add `{close}`"));
            match noticed {
                Some(noticed) => problem.also(noticed, "a block cannot begin or end inside it"),
                None => problem,
            }
        }
        E::StrayBrace { span } => Diagnostic::error("scn::syntax::stray_brace", span, "`}` closes nothing", "no block is open here")
            .help("remove it, or look for a `}` too many further up"),
        E::BraceOnOwnLine { span, head } => Diagnostic::error(
            "scn::syntax::brace_position",
            span,
            "`{` stands on a line of its own",
            "a new line ended the statement before",
        )
        .also(head, "this is the statement it belongs to")
        .help("write `{` at the end of that line"),
        E::BlockWithoutHead { span } => {
            Diagnostic::error("scn::syntax::brace_position", span, "a block of nothing", "no word says what this block is")
                .help("write its keyword before `{`, such as `topology {`")
        }
        E::UnexpectedBlock { span, after } => {
            Diagnostic::error("scn::syntax::unexpected_block", span, format!("{after} takes no block"), "this block")
                .help("remove the block")
        }
        E::MissingBlock { span, after } => {
            Diagnostic::error("scn::syntax::missing_block", span, format!("{after} needs a block"), "expected `{` after this")
                .help("write `{ ... }` after it, `{` on the same line")
        }
        E::TooDeep { span, what, limit } => {
            let message = format!("{what} is nested deeper than {limit}");
            Diagnostic::error("scn::syntax::too_deep", span, message, "too deep from here on").help("give the inner parts names with `let`")
        }
        E::TooLong { span, limit } => {
            let message = format!("the statement is longer than {} KiB", limit / 1024);
            Diagnostic::error("scn::syntax::too_long", span, message, "begins here").help("see whether a quote or a parenthesis is missing")
        }
        E::TooMany { span, limit } => {
            let message = format!("more than {limit} syntax errors");
            Diagnostic::error("scn::syntax::too_many", span, message, "here and after this: not shown").help("mend the errors above first")
        }
        other => statement(other),
    }
}

/// Words and their order.
fn statement(problem: SyntaxError) -> Diagnostic {
    use SyntaxError as E;
    match problem {
        E::Expected { span, wanted, found, help } => {
            let message = format!("expected {wanted}, found {found}");
            let problem = Diagnostic::error("scn::syntax::expected", span, message, "not this");
            Diagnostic { help, ..problem }
        }
        E::UnknownWord { span, word, place, nearest, words } => {
            let help = match nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("{place} can stand: {}", quoted_list(&words)),
            };
            let message = format!("`{word}` begins no statement {place}");
            Diagnostic::error("scn::syntax::unknown_statement", span, message, "not known here").help(help)
        }
        E::Misplaced { span, word, place, belongs } => {
            let message = format!("`{word}` cannot stand {place}");
            Diagnostic::error("scn::syntax::misplaced", span, message, "out of place").help(format!("`{word}` stands {belongs}"))
        }
        E::NotInThisVersion { span, what } => {
            let message = format!("{what} is not in this version of scn");
            Diagnostic::error(
                "scn::syntax::not_in_this_version",
                span,
                message,
                "a part of the language that this program does not run yet",
            )
            .help("remove it, or use a version of scn that has it")
        }
        E::MissingVersion { span } => {
            let message = "the file does not say which version of the language it is written in";
            Diagnostic::error("scn::syntax::missing_version", span, message, "the first statement").help("add `scn 1` as the first line")
        }
        E::NewerVersion { span, number } => {
            let message = format!("the file is written in version {number} of the language; this program knows version 1");
            let help = "use a newer scn for this file; if it needs nothing new, write `scn 1`";
            Diagnostic::error("scn::syntax::newer_version", span, message, "not known").help(help)
        }
        E::VersionNotFirst { span } => {
            Diagnostic::error("scn::syntax::misplaced", span, "`scn` is not the first statement", "out of place")
                .help("`scn 1` stands once, before everything else")
        }
        E::SaidTwice { span, first, word } => {
            Diagnostic::error("scn::syntax::said_twice", span, format!("`{word}` is said twice"), "the second one")
                .also(first, "the first one")
                .help("keep one of them")
        }
        other => literal(other),
    }
}

/// Numbers, addresses and texts.
fn literal(problem: SyntaxError) -> Diagnostic {
    use SyntaxError as E;
    match problem {
        E::Literal { span, error } => {
            let code = match error {
                LiteralError::UnknownUnit { .. } => "scn::syntax::unknown_unit",
                LiteralError::AmbiguousUnit { .. } => "scn::syntax::ambiguous_unit",
                _ => "scn::syntax::bad_number",
            };
            let problem = Diagnostic::error(code, span, error.to_string(), error.label());
            Diagnostic { help: Some(error.help()), ..problem }
        }
        E::BlankBeforeUnit { span, number, unit } => {
            let message = format!("a blank between the number and its unit `{unit}`");
            Diagnostic::error("scn::syntax::unknown_unit", span, message, "belongs to the number before it")
                .help(format!("write `{number}{unit}`"))
        }
        E::UnknownUnitWord { span, unit } => {
            let error = LiteralError::UnknownUnit { number: String::new(), unit };
            let problem = Diagnostic::error("scn::syntax::unknown_unit", span, error.to_string(), error.label());
            Diagnostic { help: Some(error.help()), ..problem }
        }
        E::BadAddress { span, written, reason } => {
            Diagnostic::error("scn::syntax::bad_address", span, format!("`{written}` is not an address"), reason)
                .help("addresses are written `10.0.0.1` or `2001:db8::1`, prefixes `10.0.0.1/24`")
        }
        E::BadEscape { span, written } => {
            Diagnostic::error("scn::syntax::bad_escape", span, format!("`{written}` means nothing in a text"), "unknown escape")
                .help("known are \\n \\r \\t \\0 \\\\ \\\" \\$ \\x41 \\u{e9}; a raw text r\"...\" has no escapes, hex\"...\" any byte")
        }
        E::BadHole { span } => Diagnostic::error("scn::syntax::bad_hole", span, "`${` is not closed", "no `}` for this in the text")
            .help("write `${name}`; a dollar sign itself is written `\\$`"),
        E::BadBytes { span, reason } => Diagnostic::error("scn::syntax::bad_bytes", span, "these are not bytes", reason)
            .help("bytes are pairs of hex digits: hex\"00 11 ff\""),
        E::BadRegex { span, reason } => Diagnostic::error("scn::syntax::bad_regex", span, "the regex cannot be used", reason)
            .help("a character with a meaning of its own is taken literally after a backslash, such as `\\.` or `\\(`"),
        other => unreachable_problem(&other),
    }
}

/// Every variant has its arm above; this keeps the split of the match from being a panic.
fn unreachable_problem(problem: &SyntaxError) -> Diagnostic {
    Diagnostic::error("scn::syntax::expected", problem.span(), "internal: a syntax error without words", "here")
}

fn quoted_list(words: &[&'static str]) -> String {
    words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}
