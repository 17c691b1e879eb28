//! Steps laid out one after another, and the courses that a transaction can take through them. In: steps. Out: positions, and for
//! each course which branch every `choose` takes and how often what varies goes round. Follows no talk: that is `talk`'s.

use crate::scenario::pattern::{Branch, Step, StepKind, Varying};
use crate::source::Span;

/// Courses through one pattern: at most so many.
pub(super) const COURSE_LIMIT: u64 = 256;

/// A step without its tree, by its position in the order of the text.
#[derive(Clone, Copy)]
pub(super) enum Op<'s> {
    Step(&'s Step),
    /// Skips to the position when the count is used up.
    Repeat(&'s Varying, usize),
    /// Back to the head at the position.
    End(usize),
    /// Goes on at one of the ways of the choice.
    Choose(usize),
    /// The end of a branch: goes on behind all of them.
    Leave(usize),
}

/// A `choose` of the layout.
pub(super) struct Choice<'s> {
    /// The position where each branch begins.
    pub(super) ways: Vec<usize>,
    /// The branches.
    pub(super) branches: &'s [Branch],
    /// It stands in a `repeat`.
    repeated: bool,
}

/// A pattern's steps in the order of the text.
pub(super) struct Layout<'s> {
    pub(super) ops: Vec<Op<'s>>,
    pub(super) choices: Vec<Choice<'s>>,
}

impl<'s> Layout<'s> {
    /// Lays steps out one after another.
    pub(super) fn new(steps: &'s [Step]) -> Layout<'s> {
        let mut layout = Layout { ops: Vec::new(), choices: Vec::new() };
        layout.list(steps, false);
        layout
    }

    fn list(&mut self, steps: &'s [Step], repeated: bool) {
        for step in steps {
            match &step.kind {
                StepKind::Repeat { count, steps } => {
                    let head = self.ops.len();
                    self.ops.push(Op::Repeat(count, 0));
                    self.list(steps, true);
                    self.ops.push(Op::End(head));
                    self.ops[head] = Op::Repeat(count, self.ops.len());
                }
                StepKind::Choose { branches } => self.choose(branches, repeated),
                _ => self.ops.push(Op::Step(step)),
            }
        }
    }

    fn choose(&mut self, branches: &'s [Branch], repeated: bool) {
        let choice = self.choices.len();
        self.ops.push(Op::Choose(choice));
        self.choices.push(Choice { ways: Vec::new(), branches, repeated });
        let mut leaves = Vec::new();
        for branch in branches {
            self.choices[choice].ways.push(self.ops.len());
            self.list(&branch.steps, repeated);
            leaves.push(self.ops.len());
            self.ops.push(Op::Leave(0));
        }
        let after = self.ops.len();
        for leave in leaves {
            self.ops[leave] = Op::Leave(after);
        }
    }

    /// Every course that a transaction can take; `Err`: there are too many, so many.
    pub(super) fn courses(&self) -> Result<Vec<Course>, u64> {
        let varies = self.ops.iter().any(|op| matches!(op, Op::Repeat(count, _) if count.least() != count.most()));
        let sizes: Vec<usize> = self.choices.iter().map(|choice| choice.ways.len()).collect();
        let straight = sizes.iter().fold(1u64, |all, size| all.saturating_mul(*size as u64));
        let turns = if self.choices.iter().any(|choice| choice.repeated) { sizes.iter().copied().max().unwrap_or(0) } else { 0 };
        let count = straight.saturating_add(turns as u64).saturating_mul(1 + u64::from(varies));
        if count > COURSE_LIMIT {
            return Err(count);
        }
        let mut courses = Vec::new();
        for most in [false, true].into_iter().filter(|most| varies || *most) {
            let mut taken = vec![0; sizes.len()];
            for _ in 0..straight {
                courses.push(Course { taken: taken.clone(), turning: false, most });
                next(&mut taken, &sizes);
            }
            courses.extend((0..turns).map(|first| Course { taken: vec![first; sizes.len()], turning: true, most }));
        }
        Ok(courses)
    }
}

/// The next combination of branches.
fn next(taken: &mut [usize], sizes: &[usize]) {
    for (way, size) in taken.iter_mut().zip(sizes) {
        *way += 1;
        if *way < *size {
            return;
        }
        *way = 0;
    }
}

/// One course through a pattern.
pub(super) struct Course {
    taken: Vec<usize>,
    /// The branches take turns, visit by visit.
    pub(super) turning: bool,
    most: bool,
}

impl Course {
    /// The position where a choice goes on, the visits of it counted from 0.
    pub(super) fn way(&self, layout: &Layout<'_>, choice: usize, visit: u64) -> usize {
        let ways = &layout.choices[choice].ways;
        let turn = if self.turning { usize::try_from(visit).unwrap_or(0) } else { 0 };
        ways[(self.taken[choice] + turn) % ways.len()]
    }

    /// How often a `repeat` goes round.
    pub(super) fn count(&self, count: &Varying) -> u64 {
        if self.most { count.most() } else { count.least() }
    }

    /// The branches that are taken, as far as there is one for each choice.
    pub(super) fn branches(&self, layout: &Layout<'_>) -> Vec<Span> {
        if self.turning {
            return Vec::new();
        }
        layout.choices.iter().zip(&self.taken).map(|(choice, way)| choice.branches[*way].span).collect()
    }

    /// The positions of a transaction on this course in order, each `repeat` gone through once; the number says how often.
    pub(super) fn walk(&self, layout: &Layout<'_>, visit: &mut impl FnMut(usize, u64)) {
        let (mut at, mut times) = (0, vec![1u64]);
        while let Some(op) = layout.ops.get(at) {
            let many = times.last().copied().unwrap_or(1);
            match op {
                Op::Step(_) => {
                    visit(at, many);
                    at += 1;
                }
                Op::Repeat(count, after) => match self.count(count) {
                    0 => at = *after,
                    count => {
                        times.push(many.saturating_mul(count));
                        at += 1;
                    }
                },
                Op::End(_) => {
                    times.pop();
                    at += 1;
                }
                Op::Choose(choice) => at = self.way(layout, *choice, 0),
                Op::Leave(after) => at = *after,
            }
        }
    }
}

/// Calls `each` on every step in the order of the positions of a [`Layout`].
pub(super) fn each_step(steps: &mut [Step], at: &mut usize, each: &mut impl FnMut(usize, &mut StepKind)) {
    for step in steps {
        match &mut step.kind {
            StepKind::Repeat { steps, .. } => {
                *at += 1;
                each_step(steps, at, each);
            }
            StepKind::Choose { branches } => {
                *at += 1;
                for branch in branches {
                    each_step(&mut branch.steps, at, each);
                    *at += 1;
                }
                continue;
            }
            kind => each(*at, kind),
        }
        *at += 1;
    }
}
