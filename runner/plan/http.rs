//! What a scenario says over `http` that can't be carried out. In: patterns of flows and services. Out: what can't, in words, and which
//! patterns are one request and its answer. Sends nothing.
//!
//! Each side's steps are followed by themselves, on all ways at once: a client asks and then reads, a server reads and then answers.

use scn_grammar::scenario::flow::Flow;
use scn_grammar::scenario::pattern::{Close, Pattern, Payload, Side, Step, StepKind};
use scn_grammar::scenario::transport::{Http, Transport};

/// Where a side may be: nothing was said or read.
const AT_START: u8 = 1;
/// In its own message.
const SAYING: u8 = 2;
/// In the other's.
const READING: u8 = 4;

const HALF_CLOSES: &str = "a pattern over `http` that half closes (an answer needs both ways)";
const RESETS: &str = "a pattern over `http` that resets (say `closes`)";
const SERVER_BEGINS: &str = "a pattern over `http` that the server begins (a server of HTTP says only what it was asked for)";
const NO_HEAD: &str = "a pattern over `http` whose request or answer does not begin with its head, as a text";
const NO_ANSWER: &str = "a pattern over `http` with a request that the server does not answer";
const NO_REQUEST: &str = "a pattern over `http` with a way on which nothing is asked";
const SERVER_CLOSES: &str = "a pattern over `http` in which the server closes, with `streams`";

/// Of a flow: its pattern, and that with its streams.
pub(crate) fn flow(flow: &Flow) -> Option<&'static str> {
    let beyond = beyond(flow.pattern.as_ref());
    let Transport::Http { http: Http { streams, .. }, .. } = &flow.transport else { return beyond };
    let closes = || flow.pattern.as_ref().is_some_and(|pattern| ends(&pattern.steps, &|by, _| by == Side::Server));
    beyond.or_else(|| (*streams > 1 && closes()).then_some(SERVER_CLOSES))
}

/// A pattern that is no requests and their answers in turn.
pub(crate) fn beyond(pattern: Option<&Pattern>) -> Option<&'static str> {
    let steps = &pattern?.steps;
    if is_an_exchange(steps) {
        return None;
    }
    if ends(steps, &|_, how| how == Close::Half) {
        return Some(HALF_CLOSES);
    }
    if ends(steps, &|_, how| how == Close::Reset) {
        return Some(RESETS);
    }
    [Side::Client, Side::Server].into_iter().filter(|side| acts(steps, *side)).find_map(|side| {
        let at = match follow(steps, side, AT_START) {
            Ok(at) => at,
            Err(what) => return Some(what),
        };
        match side {
            _ if at & AT_START > 0 => Some(NO_REQUEST),
            Side::Server if at & READING > 0 => Some(NO_ANSWER),
            _ => None,
        }
    })
}

/// One request as a text, then its answer: neither end has to know anything of what was before.
pub(crate) fn is_single(pattern: Option<&Pattern>) -> bool {
    pattern.is_none_or(|pattern| is_an_exchange(&pattern.steps))
}

/// The client sends a text and what belongs to it; then the server does, or the client reads what another server answers; that is all.
fn is_an_exchange(steps: &[Step]) -> bool {
    let (mut asked, mut read, mut answered) = (false, false, false);
    for step in steps {
        match &step.kind {
            StepKind::Expects { by: Side::Server, .. } if answered => return false,
            StepKind::Pause { .. } | StepKind::Expects { by: Side::Server, .. } => {}
            StepKind::Expects { by: Side::Client, .. } => read = true,
            StepKind::Sends { by: Side::Client, payload, .. } => {
                if read || answered || !(asked || is_text(payload)) {
                    return false;
                }
                asked = true;
            }
            StepKind::Sends { by: Side::Server, payload, .. } => {
                if !asked || !(answered || is_text(payload)) {
                    return false;
                }
                answered = true;
            }
            StepKind::Echoes { .. } | StepKind::Repeat { .. } | StepKind::Choose { .. } | StepKind::Closes { .. } => return false,
        }
    }
    asked && (answered || read)
}

/// Where a side may be after these steps, if it may be at each of these places before.
fn follow(steps: &[Step], side: Side, mut at: u8) -> Result<u8, &'static str> {
    for step in steps {
        at = match &step.kind {
            StepKind::Sends { by, payload, .. } if *by == side => says(at, is_text(payload))?,
            StepKind::Echoes { by } if *by == side => says(at, false)?,
            StepKind::Sends { implicit: false, .. } | StepKind::Pause { .. } | StepKind::Closes { .. } => at,
            StepKind::Expects { by, .. } if *by != side => at,
            StepKind::Sends { .. } | StepKind::Echoes { .. } | StepKind::Expects { .. } => reads(at, side)?,
            StepKind::Repeat { count, steps } => {
                let mut before = at;
                let after = loop {
                    let after = follow(steps, side, before)?;
                    if after | before == before {
                        break after;
                    }
                    before |= after;
                };
                if count.least() == 0 { before } else { after }
            }
            StepKind::Choose { branches } => {
                let each = branches.iter().map(|branch| follow(&branch.steps, side, at));
                each.collect::<Result<Vec<u8>, _>>()?.into_iter().fold(0, |all, one| all | one)
            }
        };
    }
    Ok(at)
}

/// A message begins with a text, which more may follow.
fn says(at: u8, text: bool) -> Result<u8, &'static str> {
    if at & (AT_START | READING) > 0 && !text { Err(NO_HEAD) } else { Ok(SAYING) }
}

fn reads(at: u8, side: Side) -> Result<u8, &'static str> {
    if at & AT_START > 0 && side == Side::Client { Err(SERVER_BEGINS) } else { Ok(READING) }
}

/// The pattern says what this side does.
fn acts(steps: &[Step], side: Side) -> bool {
    steps.iter().any(|step| match &step.kind {
        StepKind::Sends { by, .. } | StepKind::Expects { by, .. } | StepKind::Echoes { by } => *by == side,
        StepKind::Repeat { steps, .. } => acts(steps, side),
        StepKind::Choose { branches } => branches.iter().any(|branch| acts(&branch.steps, side)),
        StepKind::Pause { .. } | StepKind::Closes { .. } => false,
    })
}

/// A step, or one inside it, ends the connection in such a way.
fn ends(steps: &[Step], is_such: &dyn Fn(Side, Close) -> bool) -> bool {
    steps.iter().any(|step| match &step.kind {
        StepKind::Closes { by, how } => is_such(*by, *how),
        StepKind::Repeat { steps, .. } => ends(steps, is_such),
        StepKind::Choose { branches } => branches.iter().any(|branch| ends(&branch.steps, is_such)),
        _ => false,
    })
}

fn is_text(payload: &Payload) -> bool {
    matches!(payload, Payload::Text(_) | Payload::Bytes(_) | Payload::File(_))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use scn_grammar::source::Sources;

    use super::*;

    const ASKED: &str = "client sends \"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\"\n";
    const ANSWERED: &str = "server sends \"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n\"\n";

    /// A pattern of these steps: what is told of a flow that plays it, and whether it is a single request.
    fn told(steps: &str, streams: u64) -> (Option<&'static str>, bool) {
        let mut sources = Sources::default();
        let steps = steps.replace('?', ASKED).replace('!', ANSWERED);
        let text = format!(
            "scn 1\nscenario s {{\npattern p {{\n{steps}\n}}\ntopology {{ node a, b\n link a <-> b }}\n
             flow f from a to b {{ over http {{ version 2  streams {streams} }}  pattern p  total 1 }}\nexpect {{ f.sent > 0 }}\n}}\n"
        );
        let file = sources.add("test.scn", text);
        let checked = scn_grammar::check(&mut sources, file, &BTreeMap::new(), &mut scn_grammar::LoadNothing);
        assert!(checked.scenarios.len() == 1, "{steps}: {:#?}", checked.diagnostics);
        let said = &checked.scenarios[0].flows[0];
        (flow(said), is_single(said.pattern.as_ref()))
    }

    #[test]
    fn requests_and_answers_in_turn_can_be_played() {
        for single in ["? !", "? ! server sends 10B", "? client sends 10B\n !"] {
            assert_eq!(told(single, 1), (None, true), "{single}");
        }
        for several in [
            "? ! ? !",
            "repeat 0..3 { ? ! }\n ? !",
            "? ! choose { 50% { ? ! } 50% { pause 1ms } }\n ? client sends random 1B..9B\n ! server echoes",
            "? ! client closes",
            "? ! server closes",
            "? server expects /GET/\n ! client expects /200/\n server expects /GET/\n ? ! client expects /200/",
        ] {
            assert_eq!(told(several, 1), (None, false), "{several}");
        }
    }

    #[test]
    fn what_has_no_meaning_over_http_is_told() {
        for (steps, what) in [
            ("! ?", SERVER_BEGINS),
            ("? ! client half closes", HALF_CLOSES),
            ("? ! server resets", RESETS),
            ("? ! client sends 10B\n !", NO_HEAD),
            ("client sends 10B\n !", NO_HEAD),
            ("? server sends 10B", NO_HEAD),
            ("? server echoes", NO_HEAD),
            ("? ! ?", NO_ANSWER),
            ("repeat 0..2 { ? ! }", NO_REQUEST),
            ("choose { 50% { ? ! } 50% { pause 1ms } }", NO_REQUEST),
        ] {
            assert_eq!(told(steps, 1), (Some(what), false), "{steps}");
        }
        assert_eq!(told("? ! client closes", 4), (None, false));
        assert_eq!(told("? ! server closes", 4), (Some(SERVER_CLOSES), false));
    }
}
