//! `scn check`: problems of scenarios, without running them.

use scn_grammar::diagnostics::fix;
use scn_runner::plan;

use super::{count_problems, refuse, show_problems, tell};
use crate::arguments::{CheckArguments, MessageFormat};
use crate::exit::Exit;
use crate::load::{self, Loaded};
use crate::payload;
use crate::results;

/// Checks and plans every selected scenario and prints what is wrong.
#[must_use]
pub fn check(arguments: &CheckArguments) -> Exit {
    let selection = &arguments.selection;
    let mut loaded = match load::load(selection) {
        Ok(loaded) => loaded,
        Err(why) => return refuse(&why),
    };
    add_plan_problems(&mut loaded);
    if arguments.fix {
        match mend(&loaded) {
            Ok(0) => {}
            Ok(mended) => {
                tell(&format!("{mended} {} mended", if mended == 1 { "problem" } else { "problems" }));
                loaded = match load::load(selection) {
                    Ok(loaded) => loaded,
                    Err(why) => return refuse(&why),
                };
                add_plan_problems(&mut loaded);
            }
            Err(why) => return refuse(&why),
        }
    }
    show_problems(&loaded.diagnostics, &loaded.sources, selection.message_format, true);
    if selection.message_format == MessageFormat::Human {
        let checked = if loaded.has_errors(false) { String::new() } else { format!("{} checked: ", what_was_checked(&loaded)) };
        tell(&format!("{checked}{}", count_problems(&loaded.diagnostics)));
    }
    if loaded.has_errors(selection.strict) {
        Exit::Invalid
    } else if loaded.scenarios.is_empty() && (loaded.files.is_empty() || !loaded.found.is_empty()) {
        if selection.message_format == MessageFormat::Human {
            tell(&loaded.nothing_selected());
        }
        Exit::NothingSelected
    } else {
        Exit::Pass
    }
}

/// `3 scenarios`; of libraries, which hold none, `2 files`.
fn what_was_checked(loaded: &Loaded) -> String {
    let (count, what) = if loaded.found.is_empty() { (loaded.files.len(), "file") } else { (loaded.scenarios.len(), "scenario") };
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Makes the safe changes in the files that were asked for, not in those they use, and says how many.
fn mend(loaded: &Loaded) -> Result<usize, String> {
    let mut mended = 0;
    for file in &loaded.files {
        let source = loaded.sources.get(*file);
        let (text, made) = fix::mend(&source.text, *file, &loaded.diagnostics)
            .map_err(|why| format!("{} is as it was: its fixes would break it ({why}); this is a mistake of scn", source.name))?;
        if made > 0 {
            results::replace(std::path::Path::new(&source.name), &text)?;
            mended += made;
        }
    }
    Ok(mended)
}

/// Plans every scenario for the sake of its problems.
fn add_plan_problems(loaded: &mut Loaded) {
    for at in 0..loaded.scenarios.len() {
        let problems = match plan::plan(&loaded.scenarios[at].1, &plan::Settings::default()) {
            Ok(planned) => {
                payload::read(&planned.plan, &loaded.sources, &mut loaded.diagnostics);
                planned.warnings
            }
            Err(problems) => problems,
        };
        loaded.add_once(problems);
    }
}
