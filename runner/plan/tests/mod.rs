//! Tests of the planner as a whole: what it gives, what it refuses, and laws that hold for every plan.

pub(super) mod build;
mod files;
mod groups;
mod kernel;
mod laws;
mod measured;
mod network;
mod run;
mod stacks;
