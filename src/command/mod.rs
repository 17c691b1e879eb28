//! One file a subcommand: each takes its arguments and gives an exit. What they print goes through here.

pub mod check;
pub mod clean;
pub mod diff;
pub mod doc;
pub mod doctor;
pub mod exec;
pub mod explain;
pub mod fmt;
pub mod help;
pub mod judge;
pub mod libraries;
pub mod list;
pub mod lsp;
pub mod plan;
pub mod run;
pub mod std;

use ::std::io::{IsTerminal as _, Write as _};

use scn_grammar::diagnostics::{Diagnostic, Severity, draw, gitlab, json, sarif, short};
use scn_grammar::source::Sources;

use crate::arguments::{Arguments, Command, MessageFormat};
use crate::exit::Exit;

/// Carries out a command line. `words` is the command line as typed, for the record.
#[must_use]
pub fn execute(arguments: Arguments, words: &str) -> Exit {
    match arguments.command {
        Command::Run(arguments) => run::run(&arguments, words),
        Command::Check(arguments) => check::check(&arguments),
        Command::Fmt(arguments) => fmt::fmt(&arguments),
        Command::Plan(arguments) => plan::plan(&arguments),
        Command::Diff(arguments) => diff::diff(&arguments),
        Command::Judge(arguments) => judge::judge(&arguments, true),
        Command::Report(arguments) => judge::judge(&arguments, false),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::List(arguments) => list::list(&arguments),
        Command::Std(arguments) => std::std(&arguments),
        Command::Doc(arguments) => doc::doc(&arguments),
        Command::Lsp => lsp::lsp(),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::Clean => clean::clean(),
        Command::Exec(arguments) => exec::exec(&arguments),
        Command::Shell(arguments) => exec::shell(&arguments),
        Command::Add(arguments) => libraries::add(&arguments),
        Command::Update(arguments) => libraries::update(&arguments),
        Command::Fetch(arguments) => libraries::fetch(&arguments),
        Command::Verify => libraries::verify(),
        Command::Vendor => libraries::vendor(),
        Command::Help(arguments) => help::help(&arguments),
    }
}

/// Data, to standard output. A reader that went away is no error: there is nobody left to tell.
pub fn print(text: &str) {
    let mut out = ::std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Everything else, to standard error.
pub fn tell(text: &str) {
    let mut err = ::std::io::stderr().lock();
    let _ = writeln!(err, "{text}");
}

/// A mistake on the command line.
#[must_use]
pub fn refuse(why: &str) -> Exit {
    tell(&format!("error: {why}"));
    Exit::Invalid
}

/// Whether a stream is drawn on with colour: a terminal, and nobody asked for none (<https://no-color.org>).
fn colour(terminal: bool) -> bool {
    terminal
        && ::std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && ::std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The style of the text report on standard output.
#[must_use]
pub fn style() -> scn_reports::text::Style {
    scn_reports::text::Style { colour: colour(::std::io::stdout().is_terminal()), width: 100, unicode: true }
}

/// Shows problems: on standard output where they are what was asked for, on standard error otherwise.
pub fn show_problems(diagnostics: &[Diagnostic], sources: &Sources, format: MessageFormat, is_data: bool) {
    let text = match format {
        MessageFormat::Human => {
            let terminal = if is_data { ::std::io::stdout().is_terminal() } else { ::std::io::stderr().is_terminal() };
            draw::draw(diagnostics, sources, colour(terminal), 100)
        }
        MessageFormat::Short => short::short(diagnostics, sources),
        MessageFormat::Json => json::json(diagnostics, sources),
        MessageFormat::Sarif => sarif::sarif(diagnostics, sources),
        MessageFormat::Gitlab => gitlab::gitlab(diagnostics, sources),
    };
    if is_data {
        print(&text);
    } else if !text.is_empty() {
        tell(text.trim_end_matches('\n'));
    }
}

/// `2 errors, 1 warning`.
#[must_use]
pub fn count_problems(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => "no problems".to_owned(),
        (0, w) => plural(w, "warning"),
        (e, 0) => plural(e, "error"),
        (e, w) => format!("{}, {}", plural(e, "error"), plural(w, "warning")),
    }
}
