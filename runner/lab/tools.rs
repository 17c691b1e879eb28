//! Flows that tools make, as the lab runs them. In: command lines by flow, then starts and stops. Out: what the programs wrote. The programs
//! are of the run as every other: in the room of their node, and gone when the run is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use scn_grammar::scenario::{FlowId, NodeId};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::KernelLab;
use super::error::LabError;
use super::process::{Deed, Ended, Player, Ran, Task, ToolOrder as Order};
use crate::plan::types::Plan;
use crate::traffic::sockets::{Sockets as _, Streams};
use crate::traffic::strike::Blow;
use crate::traffic::tools;

/// The tools of a run.
pub(crate) struct ToolFlows {
    orders: BTreeMap<FlowId, UnboundedSender<Order>>,
    shelf: Arc<Mutex<Vec<Ran>>>,
}

impl KernelLab {
    /// Starts the servers of all flows that tools make, and waits until each takes clients. `tell` hears of each flow that has ended.
    ///
    /// # Errors
    /// A port that is taken, a server that is not ready.
    pub(crate) async fn begin_tools(&self, plan: &Plan, tell: Arc<dyn Fn(FlowId) + Send + Sync>) -> Result<ToolFlows, LabError> {
        let ended = Ended { shelf: Arc::default(), tell, began: Arc::new(|_| ()) };
        let (mut orders, mut waiting) = (BTreeMap::new(), Vec::new());
        for flow in &plan.flows {
            let serves = tools::serves(flow);
            let Some(task) = Task::of(plan, flow, serves) else { continue };
            let Some(programs) = &self.programs else { continue };
            if let Some(server) = &task.server {
                self.reserve(plan, server.part.node, flow.target, server.udp).await?;
            }
            let place = task.server.as_ref().map_or(flow.from, |server| server.part.node);
            let told = programs.tool(task, ended.clone());
            let (reply, ready) = oneshot::channel();
            let _ = told.send(Order::Prepare(reply));
            waiting.push((flow, place, ready));
            orders.insert(flow.id, told);
        }
        for (flow, place, ready) in waiting {
            let ready = ready.await.unwrap_or_else(|_| Err("is minded by nobody any more (a bug in scn)".to_owned()));
            let node = plan.nodes[place.index()].name.clone();
            let tool = flow.tool.as_ref().map_or("", |tool| tool.kind.word());
            ready.map_err(|why| LabError::Program { process: format!("{tool} of flow {}", flow.name), node, why })?;
        }
        Ok(ToolFlows { orders, shelf: ended.shelf })
    }

    /// Who plays the streams that tools make; `None`: nothing runs in any node.
    pub(crate) fn player(&self) -> Option<Player> {
        self.programs.as_ref().and_then(|programs| programs.player())
    }

    /// Binds the port that a tool's server is to take, so that a clash is told with its place, and lets it go for the server.
    async fn reserve(&self, plan: &Plan, node: NodeId, target: std::net::SocketAddr, udp: bool) -> Result<(), LabError> {
        let place = std::net::SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), target.port());
        let bound =
            if udp { self.door().udp_listener(node, place).await } else { self.door().stream_listener(node, Streams::Tcp, place).await };
        let doing = format!("bind {} port {} for a tool's server", if udp { "udp" } else { "tcp" }, target.port());
        bound.map(drop).map_err(|cause| LabError::system(plan.nodes[node.index()].name.as_str(), &doing, &cause))
    }
}

impl ToolFlows {
    fn tell(&self, flow: FlowId, order: Order) {
        if let Some(orders) = self.orders.get(&flow) {
            // A task that is gone has told its last end.
            let _ = orders.send(order);
        }
    }

    /// Starts a flow.
    pub(crate) fn start(&self, flow: FlowId) {
        self.tell(flow, Order::Start);
    }

    /// Stops a flow: its client ends as its user would end it.
    pub(crate) fn stop(&self, flow: FlowId) {
        self.tell(flow, Order::Stop);
    }

    /// Strikes the client of a flow; returns when that is done.
    pub(crate) async fn strike(&self, flow: FlowId, blow: Blow) {
        let deed = match blow {
            Blow::Kill { silently } => Deed::Kill(silently),
            Blow::Freeze => Deed::Freeze,
            Blow::Thaw => Deed::Thaw,
        };
        let (reply, done) = oneshot::channel();
        self.tell(flow, Order::Client(deed, reply));
        let _ = done.await;
    }

    /// All starts that have ended, in the order of their ends.
    pub(crate) fn take(&self) -> Vec<Ran> {
        std::mem::take(&mut *self.shelf.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
