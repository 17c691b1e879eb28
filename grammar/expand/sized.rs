//! Steps laid out one after another, and who takes each sized message. In: steps. Out: their order; `implicit` of sized sends filled in.
//! Follows no talk: that is `talk`'s.

use super::steps::other;
use crate::scenario::pattern::{Expected, Payload, Step, StepKind, Varying};

/// A step without its tree, by its position in the order of the text.
#[derive(Clone, Copy)]
pub(super) enum Op<'s> {
    Step(&'s Step),
    /// Skips to the position when the count is used up.
    Repeat(u64, usize),
    /// Back to the head at the position.
    End(usize),
}

/// Lays steps out one after another.
pub(super) fn flatten<'s>(steps: &'s [Step], ops: &mut Vec<Op<'s>>) {
    for step in steps {
        if let StepKind::Repeat { count, steps } = &step.kind {
            let head = ops.len();
            ops.push(Op::Repeat(*count, 0));
            flatten(steps, ops);
            ops.push(Op::End(head));
            ops[head] = Op::Repeat(*count, ops.len());
        } else {
            ops.push(Op::Step(step));
        }
    }
}

/// Calls `each` on every step in the order of the positions of [`flatten`].
pub(super) fn each_step(steps: &mut [Step], at: &mut usize, each: &mut impl FnMut(usize, &mut StepKind)) {
    for step in steps {
        if let StepKind::Repeat { steps, .. } = &mut step.kind {
            *at += 1;
            each_step(steps, at, each);
        } else {
            each(*at, &mut step.kind);
        }
        *at += 1;
    }
}

/// The largest value a size can take.
pub(super) fn largest(size: &Varying) -> u64 {
    match size {
        Varying::Fixed(v) | Varying::Uniform(_, v) | Varying::Exponential(v) | Varying::Normal(v, _) | Varying::Pareto(v, _) => *v,
        Varying::Choice(all) => all.iter().copied().max().unwrap_or(0),
    }
}

/// A send that an `expects` may be meant for.
struct Outstanding {
    at: usize,
    sized: bool,
    left: u64,
}

/// Says of every sized send whether the other side takes it where it stands, or an `expects` of its own does: the nearest
/// sends before an `expects SIZE` (or `expects any`) that hold as much.
pub(super) fn implicit(steps: &mut [Step]) {
    let mut ops = Vec::new();
    flatten(steps, &mut ops);
    let mut explicit: Vec<bool> = vec![false; ops.len()];
    let mut sent: [Vec<Outstanding>; 2] = [Vec::new(), Vec::new()];
    let mut wanted = [0u64; 2];
    let mut times: Vec<u64> = vec![1];
    for (at, op) in ops.iter().enumerate() {
        let many = times.last().copied().unwrap_or(1);
        match op {
            Op::Repeat(count, _) => times.push(many.saturating_mul(*count)),
            Op::End(_) => drop(times.pop()),
            Op::Step(step) => match &step.kind {
                StepKind::Sends { by, payload, .. } => {
                    let (sized, size) = match payload {
                        Payload::Filled(size) | Payload::Random(size) => (true, largest(size).saturating_mul(many)),
                        Payload::Text(_) | Payload::Bytes(_) => (false, 0),
                    };
                    let taken = if sized { size.min(wanted[*by as usize]) } else { 0 };
                    wanted[*by as usize] -= taken;
                    explicit[at] |= taken > 0;
                    sent[*by as usize].push(Outstanding { at, sized, left: size - taken });
                }
                StepKind::Expects { by, what, .. } => {
                    let from = other(*by) as usize;
                    match what {
                        Expected::Size(size) => wanted[from] += take(&mut sent[from], size.saturating_mul(many), &mut explicit),
                        Expected::Any => {
                            if let Some(last) = sent[from].last_mut().filter(|last| last.sized && last.left > 0) {
                                explicit[last.at] = true;
                                last.left = 0;
                            }
                        }
                        _ => {}
                    }
                }
                _ => {}
            },
        }
    }
    drop(ops);
    each_step(steps, &mut 0, &mut |at, kind| {
        if let StepKind::Sends { payload: Payload::Filled(_) | Payload::Random(_), implicit, .. } = kind {
            *implicit = !explicit[at];
        }
    });
}

/// Takes so many bytes from the nearest sends; gives how many are missing.
fn take(sent: &mut [Outstanding], size: u64, explicit: &mut [bool]) -> u64 {
    let mut need = size;
    for send in sent.iter_mut().rev() {
        if need == 0 {
            break;
        }
        if send.sized && send.left > 0 {
            let taken = need.min(send.left);
            send.left -= taken;
            need -= taken;
            explicit[send.at] = true;
        }
    }
    need
}
