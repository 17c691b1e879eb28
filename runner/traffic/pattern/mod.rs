//! Carries patterns out over connections. In: a pattern, a side, a connection. Out: what became of each transaction. Decides
//! nothing about when transactions start.

pub mod program;
pub mod receive;
pub mod session;
