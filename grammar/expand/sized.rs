//! Who takes each sized message. In: a layout of steps. Out: which sized sends an `expects` is meant for. Follows no talk: that is
//! `talk`'s.

use super::layout::{Course, Layout, Op, each_step};
use super::steps::other;
use crate::scenario::pattern::{Expected, Payload, Step, StepKind, Varying};

/// The size that a message is reckoned with: the largest one, or the middle of what has none.
pub(super) fn reckoned(size: &Varying) -> u64 {
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
pub(super) fn implicit(steps: &mut [Step], courses: &[Course]) {
    let layout = Layout::new(steps);
    let mut explicit: Vec<bool> = vec![false; layout.ops.len()];
    for course in courses {
        on_course(&layout, course, &mut explicit);
    }
    drop(layout);
    each_step(steps, &mut 0, &mut |at, kind| {
        if let StepKind::Sends { payload: Payload::Filled(_) | Payload::Random(_), implicit, .. } = kind {
            *implicit = !explicit[at];
        }
    });
}

fn on_course(layout: &Layout<'_>, course: &Course, explicit: &mut [bool]) {
    let mut sent: [Vec<Outstanding>; 2] = [Vec::new(), Vec::new()];
    let mut wanted = [0u64; 2];
    course.walk(layout, &mut |at, many| {
        let Some(Op::Step(step)) = layout.ops.get(at) else { return };
        match &step.kind {
            StepKind::Sends { by, payload, .. } => {
                let (sized, size) = match payload {
                    Payload::Filled(size) | Payload::Random(size) => (true, reckoned(size).saturating_mul(many)),
                    Payload::Text(_) | Payload::Bytes(_) | Payload::File(_) => (false, 0),
                };
                let taken = if sized { size.min(wanted[*by as usize]) } else { 0 };
                wanted[*by as usize] -= taken;
                explicit[at] |= taken > 0;
                sent[*by as usize].push(Outstanding { at, sized, left: size - taken });
            }
            StepKind::Expects { by, what, .. } => {
                let from = other(*by) as usize;
                match what {
                    Expected::Size(size) => wanted[from] += take(&mut sent[from], size.saturating_mul(many), explicit),
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
