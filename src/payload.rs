//! The files that patterns send, and those of TLS: certificates, keys, authorities. In: a plan and the texts it came from. Out: what
//! the files hold, and problems with those that can't be read. Read once, before anything is made.

use std::fs;
use std::path::{Path, PathBuf};

use scn_grammar::diagnostics::Diagnostic;
use scn_grammar::scenario::pattern::PayloadFile;
use scn_grammar::source::{Sources, Span};
use scn_runner::plan::types::Plan;
use scn_runner::traffic::{Files, tls};

/// A larger file is refused: it is kept in memory as long as the run lasts.
const MAX_PAYLOAD: u64 = 64 << 20;

/// Reads every file that a pattern of the plan sends, or that TLS needs.
pub fn read(plan: &Plan, sources: &Sources, problems: &mut Vec<Diagnostic>) -> Files {
    let mut files = Files::new();
    let patterns = plan.flows.iter().map(|flow| &flow.pattern).chain(plan.listeners.iter().map(|listener| &listener.pattern));
    let sent = patterns.flatten().flat_map(|pattern| pattern.files()).map(|(file, span)| (file.clone(), span, "sent"));
    let shown = tls::files(plan).into_iter().map(|(file, span)| (file, span, "read"));
    for (file, span, done) in sent.chain(shown) {
        if files.contains_key(&file) {
            continue;
        }
        match read_one(&place(&file, sources)) {
            Ok(content) => drop(files.insert(file, content.into())),
            Err(why) => {
                let problem = unreadable(&file, span, (&why, done), sources);
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
    }
    files
}

/// Relative paths count from the folder of the text in which they are written.
fn place(file: &PayloadFile, sources: &Sources) -> PathBuf {
    let name = &sources.get(file.beside).name;
    Path::new(name).parent().unwrap_or(Path::new("")).join(&file.path)
}

fn read_one(path: &Path) -> Result<Vec<u8>, String> {
    let about = fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is no file".to_owned());
    }
    if about.len() > MAX_PAYLOAD {
        return Err(format!("it has {} MiB, and a payload may have {} MiB", about.len() >> 20, MAX_PAYLOAD >> 20));
    }
    let content = fs::read(path).map_err(|error| error.to_string())?;
    if content.is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(content)
}

/// `done`: what would be done with it.
fn unreadable(file: &PayloadFile, span: Span, (why, done): (&str, &str), sources: &Sources) -> Diagnostic {
    let path = place(file, sources);
    Diagnostic::error("scn::file::unreadable", span, format!("{} can't be {done}: {why}", path.display()), format!("{done} here"))
        .help("a path counts from the folder of the file in which it is written")
}
