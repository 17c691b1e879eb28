//! What a partition takes at one end of a link. In: frames, who has which address. Out: whether the frame comes from the one set of nodes and
//! goes to the other. Knows hardware addresses of neighbours, and IP addresses through routers; an address that a program gave itself is
//! known by its neighbours' frames only.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use scn_grammar::scenario::topology::Prefix;

use super::headers::Headers;

/// Whose an address is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// Addresses of interfaces.
    pub addresses: BTreeMap<IpAddr, usize>,
    /// Ranges from which a node sends.
    pub ranges: Vec<(Prefix, usize)>,
    /// Hardware addresses.
    pub macs: BTreeMap<[u8; 6], usize>,
}

impl Owners {
    fn of(&self, address: IpAddr) -> Option<usize> {
        let range = || self.ranges.iter().find(|(range, _)| holds(*range, address)).map(|(_, node)| *node);
        self.addresses.get(&address).copied().or_else(range)
    }
}

fn holds(range: Prefix, address: IpAddr) -> bool {
    let length = u32::from(range.length);
    match (range.address, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)).checked_shr(32 - length.min(32)).unwrap_or(0) == 0,
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)).checked_shr(128 - length.min(128)).unwrap_or(0) == 0,
        _ => false,
    }
}

/// Which end of a way a node is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Frames leave it here.
    Leaving,
    /// Frames arrive at it here.
    Arriving,
}

/// A partition as one end of a way sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Barrier {
    /// The node at this end.
    pub here: usize,
    /// Which end it is.
    pub side: Side,
    /// Nothing passes from the first of a pair to the second.
    pub pairs: Arc<BTreeSet<(usize, usize)>>,
    /// Who has what now.
    pub owners: Arc<Owners>,
}

impl Barrier {
    /// The frame goes from the one to the other.
    pub(super) fn takes(&self, headers: &Headers, frame: &[u8]) -> bool {
        let neighbour = |at: usize| frame.get(at..at + 6).and_then(|mac| self.owners.macs.get(mac)).copied();
        let is_barred = |from: Option<usize>, to: Option<usize>| from.zip(to).is_some_and(|pair| self.pairs.contains(&pair));
        // From neighbour to neighbour; a frame to all is taken where it arrives.
        let direct = match self.side {
            Side::Leaving => is_barred(Some(self.here), neighbour(0)),
            Side::Arriving => is_barred(neighbour(6), Some(self.here)),
        };
        if direct {
            return true;
        }
        let Some([source, destination]) = headers.ip() else { return false };
        let (source, destination) = (self.owners.of(source), self.owners.of(destination));
        match self.side {
            // An address that nobody is known to have is that of who speaks, and of who is spoken to.
            Side::Leaving => is_barred(source.or(Some(self.here)), destination),
            Side::Arriving => is_barred(source, destination.or(Some(self.here))),
        }
    }
}
