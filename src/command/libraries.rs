//! `scn add`, `update`, `fetch`, `verify`, `vendor`: the project of the working directory and its libraries.

use std::path::Path;

use scn_grammar::diagnostics::Severity;
use scn_grammar::source::Sources;
use scn_libraries::add::{Wanted, WantedSource, add as add_library};
use scn_libraries::catalog::Tools;
use scn_libraries::git::Git;
use scn_libraries::home::Home;
use scn_libraries::problem::{Errors, Problem};
use scn_libraries::{fetch as fetching, update as updating, vendor as vendoring, verify as verifying};

use super::{print, refuse, show_problems, tell};
use crate::arguments::{AddArguments, FetchArguments, MessageFormat, UpdateArguments};
use crate::exit::Exit;
use crate::uses::{diagnostic, is_ci, store};

/// Names a library in `scn.toml` and locks it.
#[must_use]
pub fn add(arguments: &AddArguments) -> Exit {
    let source = match (&arguments.path, &arguments.git) {
        (Some(path), _) => WantedSource::Path(path.clone()),
        (None, Some(address)) => {
            WantedSource::Git { address: address.clone(), tag: arguments.tag.clone(), revision: arguments.rev.clone() }
        }
        (None, None) => return refuse(&format!("it is not said where `{}` comes from: --git URL or --path FOLDER", arguments.name)),
    };
    let wanted = Wanted { name: arguments.name.clone(), source, version: arguments.version.clone() };
    let here = Path::new(".");
    let home = Home::find(here).map_or_else(|| Home::new(here), Ok);
    let done = add_library(here, &wanted, &tools());
    match home {
        Ok(home) => told(done, &home, "nothing changed"),
        Err(error) => refuse(&error.to_string()),
    }
}

/// Raises what `scn.toml` asks for.
#[must_use]
pub fn update(arguments: &UpdateArguments) -> Exit {
    in_project(|home| {
        let done = updating::update(home, &arguments.names, arguments.dry_run, &tools());
        told(done, home, "nothing to change")
    })
}

/// Makes the lock fit and fills the store.
#[must_use]
pub fn fetch(arguments: &FetchArguments) -> Exit {
    let locked = arguments.locked || is_ci(std::env::var_os("CI").as_deref());
    in_project(|home| told(fetching::fetch(home, locked, &tools()), home, "everything is here"))
}

/// Copies every library beside `scn.toml`.
#[must_use]
pub fn vendor() -> Exit {
    in_project(|home| told(vendoring::vendor(home, &tools()), home, ""))
}

/// Compares what is here with the lock.
#[must_use]
pub fn verify() -> Exit {
    in_project(|home| match verifying::verify(home, &store()) {
        Err(errors) => show(&errors, home),
        Ok(found) if found.differences.is_empty() => {
            let plural = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
            let (libraries, files) = (plural(found.libraries, "library", "libraries"), plural(found.files, "file", "files"));
            print(&format!("{libraries}, {files}: all as in scn.lock\n"));
            Exit::Pass
        }
        Ok(found) => {
            print(&format!("{}\n", found.differences.join("\n")));
            refuse("libraries are not what scn.lock holds")
        }
    })
}

fn tools() -> Tools {
    Tools { store: store(), git: Git::default() }
}

/// Does something with the project of the working directory.
fn in_project(act: impl FnOnce(&Home) -> Exit) -> Exit {
    match Home::find(Path::new(".")) {
        Some(home) => act(&home),
        None => refuse("neither this folder nor one above it has a scn.toml; `scn add` makes one"),
    }
}

/// Prints what was done, or what was wrong.
fn told(done: Result<Vec<String>, Errors>, home: &Home, nothing: &str) -> Exit {
    match done {
        Ok(lines) if lines.is_empty() => print(&format!("{nothing}\n")),
        Ok(lines) => print(&format!("{}\n", lines.join("\n"))),
        Err(errors) => return show(&errors, home),
    }
    Exit::Pass
}

/// Draws problems; those that stand in no text are told in a line. When all are this machine's or the network's, so says the exit.
fn show(errors: &Errors, home: &Home) -> Exit {
    let mut sources = Sources::default();
    let (placed, others): (Vec<_>, Vec<_>) = errors.0.iter().partition(|error| error.place.is_some());
    let drawn: Vec<_> = placed.into_iter().map(|error| diagnostic(error, home, Severity::Error, &mut sources)).collect();
    show_problems(&drawn, &sources, MessageFormat::Human, false);
    for error in others {
        tell(&format!("error: {}\n  help: {}\n  code: {}", error.problem, error.problem.help(), error.problem.code()));
    }
    let machine = |problem: &Problem| matches!(problem, Problem::GitFailed { .. } | Problem::Unwritable { .. } | Problem::NoStore { .. });
    if errors.0.iter().all(|error| machine(&error.problem)) { Exit::Machine } else { Exit::Invalid }
}
