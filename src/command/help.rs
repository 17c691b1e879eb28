//! `scn help`: the command line's help, that of a subcommand, and the reference of the language. In: words. Out: text.

use clap::CommandFactory as _;
use scn_grammar::REFERENCE;
use scn_grammar::syntax::nearest::nearest;

use super::{print, refuse};
use crate::arguments::{Arguments, HelpArguments};
use crate::exit::Exit;

/// Prints help.
#[must_use]
pub fn help(arguments: &HelpArguments) -> Exit {
    let words: Vec<&str> = arguments.topic.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["language"] => {
            print(REFERENCE);
            Exit::Pass
        }
        ["language", topic @ ..] => language(&topic.join(" ")),
        words => command(words),
    }
}

/// The help of the command or of a subcommand.
fn command(words: &[&str]) -> Exit {
    let mut root = Arguments::command();
    root.build();
    let mut command = &mut root;
    for word in words {
        let names: Vec<String> = command.get_subcommands().map(|known| known.get_name().to_owned()).chain(["language".into()]).collect();
        match command.find_subcommand_mut(word) {
            Some(found) => command = found,
            None => return unknown("command", word, names.iter().map(String::as_str), "`scn help` lists them"),
        }
    }
    print(&command.render_help().to_string());
    Exit::Pass
}

/// The sections of the reference by their headings. Lines of documentation in examples begin as headings do.
fn sections() -> Vec<(String, &'static str)> {
    let (mut starts, mut at, mut in_example) = (Vec::new(), 0, false);
    for line in REFERENCE.split_inclusive('\n') {
        in_example ^= line.starts_with("```");
        if !in_example && line.starts_with("## ") {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([REFERENCE.len()]);
    let piece = |(start, end): (&usize, usize)| &REFERENCE[start + "## ".len()..end];
    let pieces = starts.iter().zip(ends).map(piece);
    pieces.map(|piece| (piece.lines().next().unwrap_or_default().to_lowercase(), piece)).collect()
}

/// One section of the reference.
fn language(topic: &str) -> Exit {
    let sections = sections();
    match sections.iter().find(|(heading, _)| *heading == topic.to_lowercase()) {
        Some((_, text)) => {
            print(&format!("## {}\n", text.trim_end()));
            Exit::Pass
        }
        None => {
            let headings: Vec<&str> = sections.iter().map(|(heading, _)| heading.as_str()).collect();
            unknown("section of the reference", topic, headings.iter().copied(), &format!("there are {}", headings.join(", ")))
        }
    }
}

fn unknown<'a>(what: &str, word: &str, known: impl Iterator<Item = &'a str> + Clone, all: &str) -> Exit {
    let hint = nearest(word, known).map_or_else(|| all.to_owned(), |near| format!("did you mean `{near}`?"));
    refuse(&format!("there is no {what} `{word}`; {hint}"))
}
