//! `scn run`: check, plan, run, judge, report. What the machine lacks by a scenario's own `needs` skips it; what this version can't carry
//! out is an error before anything is made.

use std::hash::{BuildHasher as _, Hasher as _};
use std::path::Path;
use std::sync::{Arc, Mutex};

use scn_grammar::source::Sources;
use scn_reports::record::{self, Ended, RunRecord};
use scn_reports::suite::{Suite, SuiteResult};
use scn_reports::text;
use scn_runner::emulate::Traces;
use scn_runner::engine::hold::{Hold, Look};
use scn_runner::engine::run::{CaptureFolder, Request, RunError, Whole, run as run_plan};
use scn_runner::engine::timeline::Progress;
use scn_runner::lab;
use scn_runner::plan::types::Plan;
use scn_runner::plan::{self, Settings};
use scn_runner::traffic::Files;
use tokio::sync::watch;

use super::judge::write_reports;
use super::{print, refuse, show_problems, style, tell};
use crate::arguments::{CaptureRuns, RunArguments};
use crate::exit::Exit;
use crate::load::{self, Loaded};
use crate::progress::Board;
use crate::{holding, payload, results, signals, traces};

/// A scenario that is about to run, or to be skipped.
struct Job {
    plan: Plan,
    /// What it needs and the machine has not.
    lacks: Option<String>,
    files: Files,
    traces: Arc<Traces>,
    sources: Sources,
    libraries: Vec<(String, String)>,
}

/// What became of it.
enum Outcome {
    Ran(Box<RunRecord>),
    NotRun { why: String, exit: Exit },
    Skipped { why: String },
}

impl Job {
    /// Not run, unless it is skipped anyway.
    fn not_run(&self, why: &str, exit: Exit) -> Outcome {
        match &self.lacks {
            Some(why) => Outcome::Skipped { why: why.clone() },
            None => Outcome::NotRun { why: why.to_owned(), exit },
        }
    }
}

/// Runs every selected scenario.
#[must_use]
pub fn run(arguments: &RunArguments, words: &str) -> Exit {
    // Before any thread exists: the kernel lets only a process of one thread enter a user namespace.
    let entered = lab::enter();
    let hold = match holding::wanted(arguments) {
        Ok(hold) => hold,
        Err(why) => return refuse(&why),
    };
    let loaded = match load::load(&arguments.selection) {
        Ok(loaded) => loaded,
        Err(why) => return refuse(&why),
    };
    let seed = arguments.seed.unwrap_or_else(fresh_seed);
    let jobs = match prepare(loaded, arguments, seed) {
        Ok(jobs) => jobs,
        Err(exit) => return exit,
    };
    if let Err(error) = entered {
        tell(&format!("error: {error}"));
        return finish(arguments, &jobs, jobs.iter().map(|job| job.not_run(&error.to_string(), Exit::Machine)).collect());
    }
    let cancel = match signals::listen() {
        Ok(cancel) => cancel,
        Err(error) => {
            tell(&format!("error: signals cannot be listened to: {error}"));
            return Exit::Machine;
        }
    };
    tell(&format!("seed {seed}"));
    let outcomes = run_all(&jobs, arguments, words, &cancel, hold.as_ref());
    finish(arguments, &jobs, outcomes)
}

/// A seed that is short enough to be typed again. It is printed and recorded, so the run can be repeated.
fn fresh_seed() -> u64 {
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.finish() % 1_000_000_000
}

/// Plans everything, or tells what is wrong; nothing runs while anything is.
fn prepare(mut loaded: Loaded, arguments: &RunArguments, seed: u64) -> Result<Vec<Job>, Exit> {
    let mut jobs = Vec::new();
    for (file, scenario) in &loaded.scenarios {
        match plan::plan(scenario, &Settings { seed, timing: arguments.timing.factor(), engine: arguments.engine.choice() }) {
            Ok(mut planned) => {
                loaded.diagnostics.extend(planned.warnings);
                if arguments.once {
                    plan::once::reduce(&mut planned.plan);
                }
                let lacks = lab::unmet(&scenario.needs);
                let (files, fates) = if lacks.is_none() {
                    loaded.diagnostics.extend(plan::support::missing(scenario));
                    let files = payload::read(&planned.plan, &loaded.sources, &mut loaded.diagnostics);
                    (files, traces::read(scenario, &loaded.sources, &mut loaded.diagnostics))
                } else {
                    (Files::new(), Traces::default())
                };
                let (sources, libraries) = (loaded.sources.clone(), loaded.libraries.get(file).cloned().unwrap_or_default());
                jobs.push(Job { plan: planned.plan, lacks, files, traces: Arc::new(fates), sources, libraries });
            }
            Err(problems) => loaded.diagnostics.extend(problems),
        }
    }
    show_problems(&loaded.diagnostics, &loaded.sources, arguments.selection.message_format, false);
    if loaded.has_errors(arguments.selection.strict) {
        tell(&format!("nothing ran: {}", super::count_problems(&loaded.diagnostics)));
        return Err(Exit::Invalid);
    }
    if jobs.is_empty() {
        tell(&loaded.nothing_selected());
        return Err(Exit::NothingSelected);
    }
    Ok(jobs)
}

/// Runs the jobs on as many threads as asked for; outcomes stand in the order of the jobs.
fn run_all(
    jobs: &[Job],
    arguments: &RunArguments,
    words: &str,
    cancel: &watch::Receiver<Option<String>>,
    hold: Option<&Hold>,
) -> Vec<Outcome> {
    let board = Board::new();
    let next = Mutex::new(0usize);
    let outcomes: Mutex<Vec<Option<Outcome>>> = Mutex::new(jobs.iter().map(|_| None).collect());
    // While a network stays, all that is known already can be read.
    let look = |look: &Look<'_>| {
        if let Ok(record) = look.result {
            keep(record, &arguments.out);
            tell(text::render(record, style()).trim_end());
            let outcomes = outcomes.lock().expect("no thread panics while it stores an outcome");
            let folder = arguments.out.to_string_lossy();
            let so_far = jobs.iter().zip(outcomes.iter()).filter_map(|(job, outcome)| Some((job, outcome.as_ref()?)));
            let mut suites = suites(so_far, &folder);
            suites.push(Suite::ran(record).in_folder(&folder));
            // Standard output gets the whole, once.
            report_all(arguments, &suites, arguments.json.as_deref().filter(|path| *path != Path::new("-")));
        } else if let Err(why) = look.result {
            tell(&format!("{}: error: {why}", look.scenario));
        }
        hold.iter().for_each(|hold| tell(&holding::words(look, hold)));
    };
    let work = || loop {
        let index = {
            let mut next = next.lock().expect("no thread panics while it takes a number");
            let index = *next;
            *next += 1;
            index
        };
        let Some(job) = jobs.get(index) else { break };
        let outcome = run_one(job, arguments, words, cancel.clone(), &board, hold.cloned(), &look);
        if let Outcome::Ran(record) = &outcome {
            keep(record, &arguments.out);
        }
        outcomes.lock().expect("no thread panics while it stores an outcome")[index] = Some(outcome);
    };
    std::thread::scope(|scope| {
        for _ in 0..usize::from(arguments.jobs).min(jobs.len()) {
            scope.spawn(work);
        }
    });
    let outcomes = outcomes.into_inner().expect("all threads have ended");
    outcomes.into_iter().map(|o| o.expect("every job was taken by a thread")).collect()
}

fn run_one(
    job: &Job,
    arguments: &RunArguments,
    words: &str,
    cancel: watch::Receiver<Option<String>>,
    board: &Board,
    hold: Option<Hold>,
    look: &dyn Fn(&Look<'_>),
) -> Outcome {
    if let Some(why) = &job.lacks {
        return Outcome::Skipped { why: why.clone() };
    }
    if let Some(signal) = cancel.borrow().as_ref() {
        return Outcome::NotRun { why: format!("not begun: interrupted by {signal}"), exit: exit_of_signal(signal) };
    }
    let line = board.line(&job.plan.scenario);
    let (plan, files, sources) = (job.plan.clone(), job.files.clone(), job.sources.clone());
    let (traces, libraries) = (Arc::clone(&job.traces), job.libraries.clone());
    let captures = capture_folder(job, arguments);
    if let Err(why) = results::forget_captures(&captures.path) {
        tell(&format!("warning: captures of an earlier run stay: {why}"));
    }
    let (command, wall_clock) = (words.to_owned(), results::timestamp);
    let request = Request { plan, files, traces, sources, libraries, command, captures, wall_clock, cancel, hold };
    let mut looked = false;
    let result = run_plan(request, &mut |progress| {
        line.show(&progress);
        if let Progress::Held(held) = &progress {
            looked = true;
            look(held);
        }
    });
    line.finish();
    match result {
        Ok(record) => Outcome::Ran(Box::new(record)),
        Err(error) => {
            let exit = match &error {
                RunError::Interrupted(signal) => exit_of_signal(signal),
                RunError::Judge(_) => Exit::Internal,
                RunError::Lab(_) | RunError::Traffic(_) | RunError::Runtime(_) => Exit::Machine,
            };
            if !looked {
                tell(&format!("{}: error: {error}", job.plan.scenario));
            }
            Outcome::NotRun { why: error.to_string(), exit }
        }
    }
}

/// Where a scenario's captures go.
fn capture_folder(job: &Job, arguments: &RunArguments) -> CaptureFolder {
    let name = results::captures_name(&job.plan.file, &job.plan.scenario);
    let whole = match arguments.capture {
        None => Whole::None,
        Some(CaptureRuns::Failed) => Whole::Failed,
        Some(CaptureRuns::All) => Whole::All,
    };
    CaptureFolder { path: arguments.out.join(&name), name, whole }
}

fn exit_of_signal(signal: &str) -> Exit {
    if signal == "SIGTERM" { Exit::Terminated } else { Exit::Interrupted }
}

/// Stores a record as soon as it is there, so that a later failure loses nothing.
fn keep(record: &RunRecord, folder: &Path) {
    let name = results::record_name(&record.scenario.file, &record.scenario.name);
    if let Err(why) = results::write(&folder.join(name), &record::to_json(record)) {
        tell(&format!("warning: the record is lost: {why}"));
    }
    if let Err(why) = results::write_logs(record, folder) {
        tell(&format!("warning: what programs wrote is lost: {why}"));
    }
}

/// What became of scenarios, for reports.
fn suites<'a>(outcomes: impl Iterator<Item = (&'a Job, &'a Outcome)>, folder: &'a str) -> Vec<Suite<'a>> {
    let suite = |(job, outcome): (&'a Job, &'a Outcome)| {
        let result = match outcome {
            Outcome::Ran(record) => return Suite::ran(record).in_folder(folder),
            Outcome::NotRun { why, .. } => SuiteResult::NotRun { why },
            Outcome::Skipped { why } => SuiteResult::Skipped { why },
        };
        Suite { file: &job.plan.file, scenario: &job.plan.scenario, result, paths: Vec::new(), folder: "" }
    };
    outcomes.map(suite).collect()
}

/// Writes all reports but the text, the JSON that was asked for to `json`.
fn report_all(arguments: &RunArguments, suites: &[Suite<'_>], json: Option<&Path>) {
    let out = &arguments.out;
    let standard = (out.join("junit.xml"), out.join("report.html"), out.join("results.json"));
    match write_reports(suites, Some(&standard.0), Some(&standard.1), Some(&standard.2)) {
        Ok(()) => tell(&format!("report: {}", standard.1.display())),
        Err(why) => tell(&format!("warning: the reports are incomplete: {why}")),
    }
    if let Err(why) = write_reports(suites, arguments.junit.as_deref(), arguments.html.as_deref(), json) {
        tell(&format!("warning: {why}"));
    }
}

/// Prints the text report, writes the others, and gives the exit.
fn finish(arguments: &RunArguments, jobs: &[Job], outcomes: Vec<Outcome>) -> Exit {
    let folder = arguments.out.to_string_lossy();
    let suites = suites(jobs.iter().zip(&outcomes), &folder);
    let json_to_stdout = arguments.json.as_deref() == Some(Path::new("-"));
    let report: String = suites.iter().map(|suite| text::render_suite(suite, style())).collect();
    let report = if suites.len() > 1 { format!("{report}\n{}", text::summary(&suites, style())) } else { report };
    if json_to_stdout {
        tell(report.trim_end())
    } else {
        print(&report)
    }
    report_all(arguments, &suites, arguments.json.as_deref());
    exit_of_all(&outcomes)
}

/// The worst of what was not skipped. Where everything was skipped nothing passed either.
fn exit_of_all(outcomes: &[Outcome]) -> Exit {
    let exits = outcomes.iter().filter_map(exit_of);
    exits.reduce(Exit::worst).unwrap_or(Exit::NothingSelected)
}

/// The exit of one scenario; `None`: it was skipped.
fn exit_of(outcome: &Outcome) -> Option<Exit> {
    Some(match outcome {
        Outcome::Skipped { .. } => return None,
        Outcome::NotRun { exit, .. } => *exit,
        Outcome::Ran(record) => match &record.ended {
            Ended::Interrupted(signal) => exit_of_signal(signal),
            Ended::Failed(_) => Exit::Machine,
            Ended::Complete | Ended::Timeout(_) | Ended::Required(_) => record.verdict.map_or(Exit::Internal, Exit::of_verdict),
        },
    })
}
