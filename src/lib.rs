//! THE DOOR: the `scn` command. Parses arguments, calls the rooms, prints, exits. No logic of scenarios lives here.
//!
//! ```text
//! text --grammar--> scenario --runner/plan--> plan --runner--> record --runner/judge--> verdicts --reports--> pages
//! ```

pub mod arguments;
pub mod command;
pub mod exit;
pub mod filter;
pub mod holding;
pub mod load;
pub mod params;
pub mod payload;
pub mod progress;
pub mod results;
pub mod signals;
mod traces;
pub mod uses;
