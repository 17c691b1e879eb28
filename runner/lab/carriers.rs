//! Who carries the links that something is done to: our own wires, or the kernel. In: changes, cuts and questions about a link. Out: each to the
//! one that has the link. Does nothing itself.

use scn_reports::record::LinkAccount;

use super::error::LabError;
use super::impairments::Change;
use super::kernel::Kernel;
use super::wire::{Crossed, Wires};
use crate::emulate::Barrier;

/// The engines of a lab that has any.
#[derive(Clone, Copy)]
pub(super) struct Carriers<'a> {
    pub(super) wires: Option<&'a Wires>,
    pub(super) kernel: Option<&'a Kernel>,
}

impl Carriers<'_> {
    /// Cuts a link or joins it.
    pub(super) fn set_cut(self, link: usize, cut: bool) -> Result<(), LabError> {
        self.kernel.map_or(Ok(()), |kernel| kernel.set_cut(link, cut))?;
        self.wires.map_or(Ok(()), |wires| wires.set_cut(link, cut))
    }

    /// Sets what one way of a link does. The kernel takes no change that lasts: the plan has refused it.
    pub(super) fn set(self, Change { link, end, does, over_ns }: Change) -> Result<(), LabError> {
        self.kernel.map_or(Ok(()), |kernel| kernel.set(link, end, does.clone()))?;
        self.wires.map_or(Ok(()), |wires| wires.set(link, end, does, over_ns))
    }

    /// Sets the partitions that pass through each way of a link. Of the kernel's the plan has refused them.
    pub(super) fn set_barriers(self, link: usize, barriers: [Vec<Barrier>; 2]) -> Result<(), LabError> {
        self.wires.map_or(Ok(()), |wires| wires.set_barriers(link, barriers))
    }

    /// What came to a link.
    pub(super) fn crossed(self, link: usize) -> Result<Crossed, LabError> {
        if let Some(crossed) = self.kernel.map_or(Ok(None), |kernel| kernel.crossed(link))? {
            return Ok(crossed);
        }
        self.wires.map_or(Ok(Crossed::default()), |wires| wires.crossed(link))
    }

    /// What can have met a link's silence so far: frames that the wire's cut took; the kernel counts all that come.
    pub(super) fn met(self, link: usize) -> Result<u64, LabError> {
        match self.kernel.map_or(Ok(None), |kernel| kernel.crossed(link))? {
            Some(crossed) => Ok(crossed.entered.iter().sum()),
            None => Ok(self.crossed(link)?.cut.iter().sum()),
        }
    }

    /// The account of a link; `None`: nobody here carries it.
    pub(super) fn account(self, link: usize) -> Option<LinkAccount> {
        let own = self.wires.and_then(|wires| wires.account(link));
        own.or_else(|| self.kernel.and_then(|kernel| kernel.account(link)))
    }
}
