//! `scn check`: problems of scenarios, without running them.

use scn_grammar::diagnostics::fix;
use scn_runner::plan;

use super::{count_problems, refuse, show_problems, tell};
use crate::arguments::{CheckArguments, MessageFormat};
use crate::exit::Exit;
use crate::load::{self, Loaded};
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
        let plural = if loaded.scenarios.len() == 1 { "" } else { "s" };
        let checked =
            if loaded.has_errors(false) { String::new() } else { format!("{} scenario{plural} checked: ", loaded.scenarios.len()) };
        tell(&format!("{checked}{}", count_problems(&loaded.diagnostics)));
    }
    if loaded.has_errors(selection.strict) {
        Exit::Invalid
    } else if loaded.scenarios.is_empty() {
        Exit::NothingSelected
    } else {
        Exit::Pass
    }
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
    for (_, scenario) in &loaded.scenarios {
        match plan::plan(scenario, &plan::Settings { seed: 0, timing: 1 }) {
            Ok(planned) => loaded.diagnostics.extend(planned.warnings),
            Err(problems) => loaded.diagnostics.extend(problems),
        }
    }
}
