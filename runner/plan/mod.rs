//! From scenario to plan: addresses, routes, ports, the schedule. In: a `Scenario`. Out: a [`types::Plan`] or diagnostics. Pure.

pub mod types;
