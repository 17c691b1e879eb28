//! Labs that stay for a look when a scenario is over: how they are let go, and what is said about them. In: the command line, then a lab
//! that is held. Out: when it may go, and words. Holds nothing itself.

use std::io::{BufRead as _, IsTerminal as _};
use std::time::Duration;

use scn_grammar::quantity::{Dimension, parse_literal};
use scn_runner::engine::hold::{Hold, Look, Which};
use tokio::sync::watch;

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
    let terminal = std::io::stdin().is_terminal();
    if limit.is_none() && !terminal {
        return Err(format!(
            "{option} waits for Enter, and standard input is no terminal: say for how long to hold the network, such as --keep-for 10m"
        ));
    }
    let (tell, lines) = watch::channel(0);
    if terminal {
        let thread = std::thread::Builder::new().name("enter".to_owned());
        thread.spawn(move || count_lines(&tell)).map_err(|cause| format!("standard input cannot be read: {cause}"))?;
    }
    Ok(Some(Hold { which, lines, limit }))
}

/// Counts the lines of standard input, its end too, as long as anybody wants to know.
fn count_lines(tell: &watch::Sender<u64>) {
    let mut line = String::new();
    loop {
        line.clear();
        let more = std::io::stdin().lock().read_line(&mut line).is_ok_and(|got| got > 0);
        tell.send_modify(|count| *count += 1);
        if !more || tell.is_closed() {
            return;
        }
    }
}

/// How to look at a lab that is held.
#[must_use]
pub fn words(look: &Look<'_>, hold: &Hold) -> String {
    let (held, how) = (look.held, if look.passed() { "passed" } else { "did not pass" });
    let nodes: Vec<&str> = held.nodes().collect();
    let node = nodes.first().copied().unwrap_or("NODE");
    // Brackets mean something to shells.
    let node = if node.contains('[') { format!("'{node}'") } else { node.to_owned() };
    let mut ways = Vec::new();
    if std::io::stdin().is_terminal() {
        ways.push("Enter lets it go".to_owned());
    }
    ways.extend(hold.limit.map(|limit| format!("it goes after {limit:?}")));
    ways.push("Ctrl-C ends it and what is still to run".to_owned());
    format!(
        "{scenario} {how}; its network and its programs stay as they are, as run {run}:\n    scn shell {node}\n    scn exec {node} -- ip address\nnodes: \
         {nodes}\n{ways}",
        scenario = look.scenario,
        run = held.run(),
        nodes = nodes.join(", "),
        ways = ways.join("; "),
    )
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
}
