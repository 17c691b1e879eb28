//! Proofs of the pure parts: manifests, locks, selection.

mod hostile;
mod manifests;
mod selection;
