//! What a packet is told of its own fate, so that a capture can say it beside the packet. In: nothing. Out: the words that stages use. Counts
//! nothing: that is [`super::Counts`], whose places have the same names.

/// Which stage took a packet: it goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// A cut or a partition.
    Cut,
    /// A `drop`.
    Filtered,
    /// The black hole.
    Oversized,
    /// `loss`.
    Lost,
    /// The queue had no place for it.
    Overflowed,
    /// The queue's management.
    Managed,
    /// None: scn itself or the machine lost it.
    Failed,
}

/// What a stage did to a packet that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A bit was flipped in this byte of the frame, from 0.
    Corrupted(usize),
    /// It was held back so that others overtake it.
    Reordered,
    /// It was marked as having met congestion.
    Congestion,
}
