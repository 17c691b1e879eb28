//! Whether impairments and partitions met any packets. In: actions that begin and end, counts of who carries the links. Out: warnings about those that met
//! none. Counts nothing itself.

use scn_grammar::scenario::timeline::Action;

use super::carriers::Carriers;
use super::error::LabError;

/// An action that is to meet packets.
#[derive(Debug)]
struct Watched {
    by: Action,
    /// Links, and the ends where frames enter.
    ways: Vec<(usize, usize)>,
    words: String,
    before: u64,
}

/// All that last.
#[derive(Debug, Default)]
pub(super) struct Effects(Vec<Watched>);

impl Effects {
    /// An action begins.
    pub(super) fn begin(&mut self, carriers: Carriers<'_>, by: &Action, ways: Vec<(usize, usize)>, words: String) -> Result<(), LabError> {
        let mut watched = Watched { by: by.clone(), ways, words, before: 0 };
        watched.before = watched.met(carriers)?;
        self.0.push(watched);
        Ok(())
    }

    /// An action ends others, or is undone. Out: warnings about those that end here and met nothing.
    pub(super) fn end(
        &mut self,
        carriers: Carriers<'_>,
        by: &Action,
        undone: bool,
        ways: &[(usize, usize)],
    ) -> Result<Vec<String>, LabError> {
        let first = self.0.iter().position(|watched| undone && watched.by == *by);
        let ends = |(at, watched): (usize, &Watched)| match by {
            _ if undone => Some(at) == first,
            Action::Restore(_) => matches!(watched.by, Action::Impair { .. }) && watched.ways.iter().any(|way| ways.contains(way)),
            Action::Heal(_) => matches!(watched.by, Action::Partition(_)),
            _ => false,
        };
        let ended: Vec<usize> = self.0.iter().enumerate().filter(|pair| ends(*pair)).map(|(at, _)| at).collect();
        let mut warnings = Vec::new();
        for at in ended.into_iter().rev() {
            warnings.extend(self.0.remove(at).without_effect(carriers)?);
        }
        Ok(warnings)
    }

    /// Warnings about those that last and met nothing so far.
    pub(super) fn idle(&self, carriers: Carriers<'_>) -> Result<Vec<String>, LabError> {
        let found: Result<Vec<Option<String>>, LabError> = self.0.iter().map(|watched| watched.without_effect(carriers)).collect();
        Ok(found?.into_iter().flatten().collect())
    }
}

impl Watched {
    fn without_effect(&self, carriers: Carriers<'_>) -> Result<Option<String>, LabError> {
        Ok((self.met(carriers)? == self.before).then(|| format!("{} had no effect: nothing came to meet it", self.words)))
    }

    /// Packets that it can have met: those that came to its ways, or those that a partition took.
    fn met(&self, carriers: Carriers<'_>) -> Result<u64, LabError> {
        let count = |(link, end): &(usize, usize)| {
            let crossed = carriers.crossed(*link)?;
            Ok(if matches!(self.by, Action::Partition(_)) { crossed.cut[*end] } else { crossed.entered[*end] })
        };
        self.ways.iter().map(count).sum()
    }
}
