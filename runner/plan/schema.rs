//! The published form of a plan's JSON. In: nothing. Out: a JSON Schema (draft 2020-12) of what `scn plan --format json` prints. It is made
//! of the plan's types; a test (`tests/files.rs`) holds the file against them.

/// The schema. `SCN_GOLDEN=write` writes it anew when the types have changed.
pub const SCHEMA: &str = include_str!("plan.schema.json");
