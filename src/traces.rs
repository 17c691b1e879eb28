//! The files that links take the fate of packets from. In: a scenario and the texts it came from. Out: what the files say, and problems with
//! those that can't be read. Read once, before anything is made.

use std::fs;
use std::path::{Path, PathBuf};

use scn_grammar::diagnostics::Diagnostic;
use scn_grammar::scenario::Scenario;
use scn_grammar::scenario::timeline::Action;
use scn_grammar::scenario::topology::{Delay, Impairment, Loss};
use scn_grammar::source::{Sources, Span};
use scn_runner::emulate::{Trace, TraceError, Traces};

/// A larger file is refused: it is kept in memory as long as the run lasts.
const MOST_BYTES: u64 = 256 << 20;

/// Reads every trace that a link of the scenario names, or an entry of its timeline.
pub fn read(scenario: &Scenario, sources: &Sources, problems: &mut Vec<Diagnostic>) -> Traces {
    let of_links = scenario.topology.links.iter().flat_map(|link| [(&link.forward, link.span), (&link.back, link.span)]);
    let of_entries = scenario.timeline.iter().flat_map(|entry| {
        let ways = if let Action::Impair { forward, back, .. } = &entry.action { [forward.as_ref(), back.as_ref()] } else { [None, None] };
        ways.into_iter().flatten().map(|way| (way, entry.span))
    });
    let mut traces = Traces::default();
    let folder = Path::new(&sources.get(scenario.span.file).name).parent().unwrap_or(Path::new("")).to_owned();
    for (way, span) in of_links.chain(of_entries) {
        for (file, result) in named(way, &traces, &folder) {
            match result {
                Ok(trace) => traces.insert(file, trace),
                Err(why) => {
                    let problem = unusable(&folder.join(file), span, &why);
                    if !problems.contains(&problem) {
                        problems.push(problem);
                    }
                }
            }
        }
    }
    traces
}

/// The traces that one way names and that are not there yet.
fn named(way: &Impairment, known: &Traces, folder: &Path) -> Vec<(String, Result<Trace, String>)> {
    let mut named = Vec::new();
    if let Loss::Trace(file) = &way.loss
        && !known.has_losses(file)
    {
        named.push((file.clone(), read_one(&folder.join(file), Trace::losses)));
    }
    if let Delay::Trace(file) = &way.delay
        && !known.has_delays(file)
    {
        named.push((file.clone(), read_one(&folder.join(file), Trace::delays)));
    }
    named
}

fn read_one(path: &PathBuf, parse: fn(&str) -> Result<Trace, TraceError>) -> Result<Trace, String> {
    let about = fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is no file".to_owned());
    }
    if about.len() > MOST_BYTES {
        return Err(format!("it has {} MiB, and a trace may have {} MiB", about.len() >> 20, MOST_BYTES >> 20));
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    parse(&text).map_err(|error| error.to_string())
}

fn unusable(path: &Path, span: Span, why: &str) -> Diagnostic {
    let message = format!("the trace {} can't be used: {why}", path.display());
    let help = "a path counts from the folder of the scenario's file; losses are `0` and `1`, delays one duration a line";
    Diagnostic::error("scn::file::unreadable", span, message, "named here").help(help)
}
