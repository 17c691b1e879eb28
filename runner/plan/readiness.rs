//! Whether programs can ever count as ready. In: processes, who has which address. Out: problems. Looks at no program.

use std::net::IpAddr;

use scn_grammar::scenario::Scenario;
use scn_grammar::scenario::process::{Probe, ProbeTarget};

use super::errors::{Findings, PlanError};
use super::graph::Graph;
use super::holders::Holders;

/// Refuses a `ready` at an address that is not there when the programs start.
pub(crate) fn check_readiness(scenario: &Scenario, graph: &Graph<'_>, holders: &Holders, findings: &mut Findings) {
    // What stands outside of the run may have addresses that the file does not say.
    let outside = scenario.topology.nodes.iter().any(|node| node.kind.is_external());
    for process in &scenario.processes {
        let Some(ready) = &process.ready else { continue };
        let (address, bound) = match ready.probe {
            Probe::Tcp(ProbeTarget::Address(address, _)) => (address, false),
            Probe::Udp(ProbeTarget::Address(address, _)) => (address, true),
            Probe::Tcp(ProbeTarget::Node(..)) | Probe::Udp(ProbeTarget::Node(..)) | Probe::Log(_) | Probe::Run(_) => continue,
        };
        if address.is_loopback() || address.is_unspecified() {
            continue;
        }
        // A connection may be taken elsewhere; a port is bound on the program's own node.
        let lacking = process.nodes.iter().find(|node| bound && !holders.starts_with(**node, address));
        let somewhere = outside || holders.of(address).iter().any(|holding| holding.at_start);
        let (who, has) = match lacking {
            Some(node) => (format!("`{}`", graph.name(*node)), holders.has(*node, address)),
            None if !bound && !somewhere => ("no node".to_owned(), !holders.of(address).is_empty()),
            None => continue,
        };
        let why = match has {
            true => format!("{address} comes only by the timeline, which begins when all programs are ready"),
            false => format!("{who} {} {address}{}", if lacking.is_some() { "never has" } else { "ever has" }, nearest(holders, address)),
        };
        findings.add(PlanError::ReadyAddress { process: process.name.clone(), address: address.to_string(), why, span: ready.span });
    }
}

fn nearest(holders: &Holders, address: IpAddr) -> String {
    let nearest = holders.nearest(address).filter(|(nearest, _)| *nearest != address);
    nearest.map_or_else(String::new, |(nearest, _)| format!("; the nearest address there is: {nearest}"))
}
