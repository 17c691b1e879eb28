//! How much one transaction carries, before it is run. In: a pattern. Out: its payload in bytes, both ways together, on average over what is
//! drawn. Draws nothing.

use scn_grammar::scenario::pattern::{Pattern, Payload, Side, Step, StepKind, Template, TemplatePart};

/// The mean payload of a transaction, bytes; `None`: it depends on what the run brings.
#[must_use]
pub fn mean(pattern: &Pattern) -> Option<f64> {
    of_steps(&pattern.steps, &mut [0.0; 2])
}

/// `last`: what each side sent last, which the other may echo.
fn of_steps(steps: &[Step], last: &mut [f64; 2]) -> Option<f64> {
    let mut sum = 0.0;
    for step in steps {
        sum += match &step.kind {
            StepKind::Sends { by, payload, .. } => sent(*by, of_payload(payload)?, last),
            StepKind::Echoes { by } => {
                let other = if *by == Side::Client { Side::Server } else { Side::Client };
                sent(*by, last[other as usize], last)
            }
            StepKind::Repeat { count, steps } => count.mean()? * of_steps(steps, last)?,
            StepKind::Choose { branches } => {
                let (before, mut mean) = (*last, 0.0);
                *last = [0.0; 2];
                for branch in branches {
                    #[expect(clippy::cast_precision_loss, reason = "at most 1e9")]
                    let share = branch.share_nano as f64 / 1e9;
                    let mut after = before;
                    mean += share * of_steps(&branch.steps, &mut after)?;
                    (last[0], last[1]) = (last[0] + share * after[0], last[1] + share * after[1]);
                }
                mean
            }
            StepKind::Expects { .. } | StepKind::Pause { .. } | StepKind::Closes { .. } => 0.0,
        };
    }
    Some(sum)
}

fn sent(by: Side, bytes: f64, last: &mut [f64; 2]) -> f64 {
    last[by as usize] = bytes;
    bytes
}

#[expect(clippy::cast_precision_loss, reason = "no text is that long")]
fn of_payload(payload: &Payload) -> Option<f64> {
    match payload {
        Payload::Filled(size) | Payload::Random(size) => size.mean(),
        Payload::Bytes(bytes) => Some(bytes.len() as f64),
        Payload::Text(Template(parts)) => parts.iter().try_fold(0.0, |sum, part| match part {
            TemplatePart::Literal(text) => Some(sum + text.len() as f64),
            _ => None,
        }),
        Payload::File(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use scn_grammar::scenario::pattern::{Branch, Varying};
    use scn_grammar::source::{FileId, Span};

    use super::*;

    const NOWHERE: Span = Span { file: FileId(0), start: 0, end: 0 };

    fn steps(kinds: Vec<StepKind>) -> Vec<Step> {
        kinds.into_iter().map(|kind| Step { span: NOWHERE, text: String::new(), kind }).collect()
    }

    fn sends(by: Side, size: Varying) -> StepKind {
        StepKind::Sends { by, payload: Payload::Filled(size), implicit: true }
    }

    fn mean_of(kinds: Vec<StepKind>) -> Option<f64> {
        mean(&Pattern { name: String::new(), steps: steps(kinds) })
    }

    #[test]
    fn both_ways_count_and_what_is_drawn_on_average() {
        let asked = sends(Side::Client, Varying::Fixed(100));
        assert_eq!(mean_of(vec![asked.clone(), sends(Side::Server, Varying::Uniform(1000, 3000))]), Some(2100.0));
        assert_eq!(mean_of(vec![asked.clone(), StepKind::Echoes { by: Side::Server }]), Some(200.0));
        let thrice = StepKind::Repeat { count: Varying::Choice(vec![2, 4]), steps: steps(vec![asked.clone()]) };
        assert_eq!(mean_of(vec![thrice]), Some(300.0));
        let branch = |share_nano, kinds| Branch { span: NOWHERE, share_nano, steps: steps(kinds) };
        let rarely = StepKind::Choose { branches: vec![branch(250_000_000, vec![asked]), branch(750_000_000, Vec::new())] };
        assert_eq!(mean_of(vec![rarely]), Some(25.0));
        let of = |size| steps(vec![sends(Side::Client, Varying::Fixed(size))]);
        let either = [1000, 3000].map(|size| Branch { span: NOWHERE, share_nano: 500_000_000, steps: of(size) });
        let echoed = vec![StepKind::Choose { branches: either.into() }, StepKind::Echoes { by: Side::Server }];
        assert_eq!(mean_of(echoed), Some(4000.0), "what comes is sent back");
    }

    #[test]
    fn what_only_the_run_knows_has_no_mean() {
        assert_eq!(mean_of(vec![sends(Side::Client, Varying::Pareto(10, 900_000_000))]), None);
        let held = Payload::Text(Template(vec![TemplatePart::Literal("hello ".to_owned()), TemplatePart::ServerName]));
        assert_eq!(mean_of(vec![StepKind::Sends { by: Side::Client, payload: held, implicit: true }]), None);
    }
}
