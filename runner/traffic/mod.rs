//! Sends and receives. Uses sockets that the lab hands over, never opens one.

pub mod live;
pub mod sockets;
