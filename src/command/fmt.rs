//! `scn fmt`: files, folders or standard input in their canonical layout. How that looks is decided in `grammar`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use scn_grammar::format::format;
use scn_grammar::source::FileId;
use similar::TextDiff;

use super::{print, refuse, show_problems, tell};
use crate::arguments::FmtArguments;
use crate::exit::Exit;
use crate::load::{self, Loaded};
use crate::results;

/// No comparison takes longer; what is shown is right all the same, but may be longer than needed.
const DIFF_LIMIT: Duration = Duration::from_secs(2);

/// Formats what the arguments name.
#[must_use]
pub fn fmt(arguments: &FmtArguments) -> Exit {
    let mut loaded = Loaded::default();
    let exit = if arguments.paths.iter().any(|path| path == "-") {
        if arguments.paths.len() > 1 {
            return refuse("`-` is standard input and stands alone: format files by another command");
        }
        input(arguments, &mut loaded)
    } else {
        match load::find(&arguments.paths) {
            Ok(found) => files(arguments, &found, &mut loaded),
            Err(why) => return refuse(&why),
        }
    };
    show_problems(&loaded.diagnostics, &loaded.sources, arguments.message_format, false);
    exit
}

/// Standard input to standard output. Nothing is written when it cannot be read.
fn input(arguments: &FmtArguments, loaded: &mut Loaded) -> Exit {
    let Some(file) = load::read_input(loaded) else { return Exit::Invalid };
    let Ok(changed) = laid_out(file, loaded) else { return Exit::Invalid };
    if arguments.check || arguments.diff {
        return changed.map_or(Exit::Pass, |text| show(arguments, file, &text, loaded));
    }
    let text = changed.as_deref().unwrap_or(&loaded.sources.get(file).text);
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            tell(&format!("error: standard output could not be written: {error}"));
            Exit::Machine
        }
        _ => Exit::Pass,
    }
}

fn files(arguments: &FmtArguments, found: &[PathBuf], loaded: &mut Loaded) -> Exit {
    let mut exit = Exit::Pass;
    let (mut changed, mut unchanged) = (0_usize, 0_usize);
    // A link inside a folder may lead out of it.
    let named = |path: &Path| arguments.paths.iter().any(|named| Path::new(named) == path);
    for path in found.iter().filter(|path| named(path) || !path.is_symlink()) {
        let Some(file) = load::read(path, loaded) else {
            exit = exit.worst(Exit::Invalid);
            continue;
        };
        let ended = match laid_out(file, loaded) {
            Err(()) => Exit::Invalid,
            Ok(None) => {
                unchanged += 1;
                continue;
            }
            Ok(Some(text)) if arguments.check || arguments.diff => show(arguments, file, &text, loaded),
            Ok(Some(text)) => replace(path, &loaded.sources.get(file).name, &text),
        };
        changed += usize::from(matches!(ended, Exit::Pass | Exit::Fail));
        exit = exit.worst(ended);
    }
    if changed + unchanged == 0 && exit == Exit::Pass {
        tell("no *.scn file is there to be formatted");
        return Exit::NothingSelected;
    }
    let plural = |count: usize| format!("{count} {}", if count == 1 { "file" } else { "files" });
    let would = if arguments.check || arguments.diff { "would change" } else { "changed" };
    tell(&format!("{} {would}, {unchanged} as they should be", plural(changed)));
    exit
}

/// The new text of a file if it differs. `Err`: it cannot be read, which is among the problems now.
fn laid_out(file: FileId, loaded: &mut Loaded) -> Result<Option<String>, ()> {
    let text = &loaded.sources.get(file).text;
    match format(file, text) {
        Ok(formatted) => Ok((**text != *formatted).then_some(formatted)),
        Err(problems) => {
            loaded.diagnostics.extend(problems);
            Err(())
        }
    }
}

fn replace(path: &Path, name: &str, text: &str) -> Exit {
    match results::replace(path, text) {
        Ok(()) => {
            print(&format!("{name}\n"));
            Exit::Pass
        }
        Err(why) => {
            tell(&format!("error: {why}"));
            Exit::Machine
        }
    }
}

/// Tells that a file would change, or how.
fn show(arguments: &FmtArguments, file: FileId, text: &str, loaded: &Loaded) -> Exit {
    let source = loaded.sources.get(file);
    if arguments.diff {
        let diff = TextDiff::configure().timeout(DIFF_LIMIT).diff_lines(&*source.text, text);
        print(&diff.unified_diff().header(&source.name, &source.name).to_string());
    } else {
        print(&format!("{}\n", source.name));
    }
    if arguments.check { Exit::Fail } else { Exit::Pass }
}
