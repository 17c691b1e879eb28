//! THE SHELF: libraries of scenarios, their versions, and where they are kept.
//!
//! ```text
//! scn.toml --manifest--> what is asked --select--> one version of each --relock--> scn.lock --project--> texts
//! ```
//!
//! `version`, `name`, `address`, `content`, `table`, `manifest`, `lock`, `select` and `edit` are pure. `folder`, `home` and `store` touch
//! files; `git` starts git, which nothing but `add`, `update`, `fetch` and `vendor` asks. Nothing here prints.

pub mod add;
pub mod address;
pub mod catalog;
pub mod content;
pub mod edit;
pub mod fetch;
pub mod folder;
pub mod git;
pub mod home;
pub mod lock;
pub mod manifest;
pub mod name;
pub mod past;
pub mod problem;
pub mod project;
#[cfg(test)]
mod proofs;
pub mod relock;
pub mod select;
pub mod store;
pub mod table;
pub mod update;
pub mod vendor;
pub mod verify;
pub mod version;
