//! Labs that stay for a look when a scenario is over: how they are let go, and what is said about them. In: the command line, then a lab
//! that is held. Out: when it may go, and words. Holds nothing itself.

use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use scn_grammar::quantity::{Dimension, parse_literal};
use scn_runner::engine::hold::{Hold, Look, Which};

use crate::arguments::RunArguments;

/// What is to be held by these arguments, and until when; `None`: nothing.
///
/// # Errors
/// What is wrong with them, and what to say instead.
pub fn wanted(arguments: &RunArguments) -> Result<Option<Hold>, String> {
    let (which, option) = match (arguments.keep, arguments.keep_on_failure) {
        (true, _) => (Which::All, "--keep"),
        (false, true) => (Which::NotPassed, "--keep-on-failure"),
        (false, false) if arguments.keep_for.is_some() => {
            return Err("--keep-for says for how long: say --keep-on-failure or --keep too".to_owned());
        }
        (false, false) => return Ok(None),
    };
    if arguments.jobs > 1 {
        return Err(format!("{option} holds one scenario at a time: leave out --jobs"));
    }
    let limit = arguments.keep_for;
    let input = std::io::stdin();
    if !input.is_terminal() {
        return match limit {
            Some(_) => Ok(Some(Hold { which, terminal: None, limit })),
            None => Err(format!(
                "{option} waits for Enter, and standard input is no terminal: say for how long to hold the network, such as --keep-for 10m"
            )),
        };
    }
    let terminal = input.as_fd().try_clone_to_owned().map_err(|cause| format!("standard input cannot be read: {cause}"))?;
    Ok(Some(Hold { which, terminal: Some(Arc::new(terminal)), limit }))
}

/// How to look at a lab that is held, or why it is not.
#[must_use]
pub fn words(look: &Look<'_>, hold: &Hold) -> String {
    let (scenario, how) = (look.scenario, if look.passed() { "passed" } else { "did not pass" });
    let held = match look.held {
        Ok(held) => held,
        Err(why) => return format!("warning: {scenario} {how}, and its network does not stay for a look: {why}"),
    };
    let nodes: Vec<&str> = held.nodes().collect();
    let node = nodes.first().copied().unwrap_or("NODE");
    // Brackets mean something to shells.
    let node = if node.contains('[') { format!("'{node}'") } else { node.to_owned() };
    let run = held.run();
    format!(
        "{scenario} {how}; its network and its programs stay as they are, as run {run}:\n    scn shell {node}\n    scn exec {node} -- ip address\nnodes: \
         {nodes}\n{ways}",
        nodes = nodes.join(", "),
        ways = ways(hold, run).join("; "),
    )
}

/// What ends the look at a run.
fn ways(hold: &Hold, run: &str) -> Vec<String> {
    let background = hold.is_in_background();
    let enter = match &hold.terminal {
        Some(_) if background => Some("Enter lets it go once `fg` has brought it to the front".to_owned()),
        Some(_) => Some("Enter lets it go".to_owned()),
        None => None,
    };
    let key = if background { format!("`kill {run}`") } else { "Ctrl-C".to_owned() };
    let limit = hold.limit.map(|limit| format!("it goes after {limit:?}"));
    enter.into_iter().chain(limit).chain([format!("{key} ends it and what is still to run")]).collect()
}

/// `10m`, as the language writes durations.
///
/// # Errors
/// What is written instead of one.
pub fn duration(text: &str) -> Result<Duration, String> {
    let quantity = parse_literal(text).ok().filter(|quantity| quantity.dimension == Dimension::Duration && quantity.value > 0);
    let ns = quantity.and_then(|quantity| u64::try_from(quantity.value).ok());
    ns.map(Duration::from_nanos).ok_or_else(|| "a duration such as 30s, 10m or 2h is wanted".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_the_language() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        for wrong in ["", "10", "0s", "1kB", "-1s", "ten"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_lab_that_does_not_stay_is_said_and_enter_only_where_it_can_be_pressed() {
        let hold = Hold { which: Which::All, terminal: None, limit: Some(Duration::from_secs(60)) };
        let look = Look { scenario: "s", held: Err("no room"), result: Err("no daemon") };
        assert_eq!(words(&look, &hold), "warning: s did not pass, and its network does not stay for a look: no room");
        assert_eq!(ways(&hold, "7"), ["it goes after 60s", "Ctrl-C ends it and what is still to run"]);
    }
}
