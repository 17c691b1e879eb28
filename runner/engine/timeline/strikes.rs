//! Faults of what runs on nodes, as far as scn runs it itself: services, the peers of flows, and the flows' clients. In: an action that the
//! network has carried out on its part. Out: the load struck, and warnings where nothing was. Knows no sockets.

use scn_grammar::scenario::process::Signal;
use scn_grammar::scenario::timeline::{Action, Victim};
use scn_grammar::scenario::{FlowId, NodeId, ServiceId};

use super::{FlowState, Timeline};
use crate::engine::parts::{Blow, Load, Network, Struck};
use crate::plan::types::{Plan, PlannedFlow, PlannedListener};
use crate::traffic::tools;

const KILL: Blow = Blow::Kill { silently: false };

/// What is done to victims.
enum Deed {
    Blow(Blow),
    /// As SIGTERM: ends in good order.
    Stop,
    Restart,
}

impl<N: Network, L: Load> Timeline<'_, N, L> {
    /// Strikes what scn itself runs of an action's victims.
    pub(super) async fn strike(&mut self, action: &Action, at_ns: i64) -> Result<(), String> {
        let Some((deed, verb, victims)) = deed(action) else { return Ok(()) };
        let whom = whole(self.plan, &victims);
        // A flow that is killed ends when that is done, not when it was meant to be, so that it ends after the event.
        let now_ns = self.now_ns().max(at_ns);
        let blow = match deed {
            Deed::Blow(blow) => blow,
            Deed::Stop => {
                self.stop_gently(&whom, at_ns);
                return Ok(());
            }
            Deed::Restart => return self.restart(&whom, now_ns).await,
        };
        let met = self.blow(&whom, blow, now_ns).await?;
        for victim in &victims {
            self.warn_if_missed((verb, blow), victim, &met, matches!(action, Action::Vanish(_)));
        }
        Ok(())
    }

    /// Strikes, and keeps in mind what that means for the flows.
    async fn blow(&mut self, whom: &Struck, blow: Blow, at_ns: i64) -> Result<Struck, String> {
        if whom.is_empty() {
            return Ok(Struck::default());
        }
        let met = self.load.strike(whom, blow, at_ns).await?;
        for flow in &met.flows {
            match blow {
                Blow::Kill { .. } => {
                    self.frozen.remove(flow);
                    if self.flows[flow.index()] == FlowState::Running {
                        self.killed.insert(*flow);
                        self.flows[flow.index()] = FlowState::Stopping;
                    }
                }
                Blow::Freeze => _ = self.frozen.insert(*flow),
                Blow::Thaw => _ = self.frozen.remove(flow),
            }
        }
        Ok(met)
    }

    /// Ends what runs, and starts it anew, with what faults ended before.
    async fn restart(&mut self, whom: &Struck, at_ns: i64) -> Result<(), String> {
        self.blow(whom, KILL, at_ns).await?;
        self.load.open(&whom.listeners).await?;
        // From now on: ending it and opening its services took time.
        let at_ns = self.now_ns();
        for flow in whom.flows.iter().filter(|flow| self.killed.contains(flow)).copied().collect::<Vec<FlowId>>() {
            self.start_flow(flow, at_ns);
        }
        Ok(())
    }

    /// Flows that a restart would start again.
    pub(super) fn to_restart(&self, action: &Action) -> Vec<FlowId> {
        let Some((Deed::Restart, _, victims)) = deed(action) else { return Vec::new() };
        whole(self.plan, &victims).flows.into_iter().filter(|flow| self.killed.contains(flow)).collect()
    }

    /// Ends it in good order.
    fn stop_gently(&mut self, whom: &Struck, at_ns: i64) {
        self.load.close(&whom.listeners);
        for flow in &whom.flows {
            if self.flows[flow.index()] == FlowState::Running {
                self.stop_flow(*flow, at_ns);
            }
        }
    }

    /// A fault that changed nothing is told. Of programs the network tells it, and a node that vanishes is silent whatever runs there.
    fn warn_if_missed(&mut self, (verb, blow): (&str, Blow), victim: &Victim, met: &Struck, vanishes: bool) {
        let missed = match victim {
            Victim::Process(_) => return,
            Victim::Service(service, nodes) => {
                let on = |node| whole(self.plan, &[Victim::Service(*service, vec![node])]).listeners;
                let missed = nodes.iter().copied().filter(|node| !on(*node).iter().any(|listener| met.listeners.contains(listener)));
                missed.map(|node| self.service_on(*service, node)).collect::<Vec<_>>()
            }
            Victim::Node(node) => {
                let of_node = whole(self.plan, std::slice::from_ref(victim));
                let some = of_node.listeners.iter().any(|listener| met.listeners.contains(listener))
                    || of_node.flows.iter().any(|flow| met.flows.contains(flow))
                    || self.plan.processes.iter().any(|process| process.nodes.contains(node))
                    || self.plan.flows.iter().any(|flow| tools::serves(flow) == Some(*node));
                if some || vanishes { Vec::new() } else { vec![self.plan.nodes[node.index()].name.clone()] }
            }
        };
        let why = match blow {
            Blow::Thaw => "it did not stand still",
            Blow::Freeze => "nothing of it runs, or it stood still already",
            Blow::Kill { .. } => "nothing of it runs",
        };
        self.warnings.extend(missed.into_iter().map(|name| format!("{verb} {name} had no effect: {why}")));
    }

    fn service_on(&self, service: ServiceId, node: NodeId) -> String {
        let listener = self.plan.listeners.iter().find(|listener| listener.service == Some(service));
        format!("{} on {}", listener.map_or("", |listener| listener.name.as_str()), self.plan.nodes[node.index()].name)
    }
}

/// What an action does, in a word, and to whom.
fn deed(action: &Action) -> Option<(Deed, &'static str, Vec<Victim>)> {
    Some(match action {
        Action::Kill(victims) => (Deed::Blow(KILL), "kill", victims.clone()),
        Action::Freeze(victims) => (Deed::Blow(Blow::Freeze), "freeze", victims.clone()),
        Action::Thaw(victims) => (Deed::Blow(Blow::Thaw), "thaw", victims.clone()),
        Action::Restart(victims) => (Deed::Restart, "restart", victims.clone()),
        Action::Vanish(nodes) => {
            (Deed::Blow(Blow::Kill { silently: true }), "vanish", nodes.iter().map(|node| Victim::Node(*node)).collect())
        }
        Action::Signal { to, signal } => {
            let deed = match signal {
                Signal::Kill => Deed::Blow(KILL),
                Signal::Stop => Deed::Blow(Blow::Freeze),
                Signal::Cont => Deed::Blow(Blow::Thaw),
                Signal::Term => Deed::Stop,
                // The checker refuses the others where programs alone could hear them and there are none.
                _ => return None,
            };
            (deed, "signal", to.clone())
        }
        _ => return None,
    })
}

/// What scn itself runs of victims.
fn whole(plan: &Plan, victims: &[Victim]) -> Struck {
    let mut struck = Struck::default();
    for victim in victims {
        let listener = |(_, listener): &(usize, &PlannedListener)| match victim {
            Victim::Process(_) => false,
            Victim::Service(service, nodes) => listener.service == Some(*service) && nodes.contains(&listener.node),
            Victim::Node(node) => listener.node == *node,
        };
        struck.listeners.extend(plan.listeners.iter().enumerate().filter(listener).map(|(position, _)| position));
        if let Victim::Node(node) = victim {
            // Who only watches is no client of the node: it looks at the other end.
            let client = |flow: &&PlannedFlow| flow.from == *node && !flow.watches();
            struck.flows.extend(plan.flows.iter().filter(client).map(|flow| flow.id));
        }
    }
    struck.listeners.sort_unstable();
    struck.listeners.dedup();
    struck.flows.sort_unstable();
    struck.flows.dedup();
    struck
}
