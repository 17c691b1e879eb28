//! The wire of ctraffic (github.com/Nordix/ctraffic), both roles, as programs that any connection and any lane of datagrams plays. In: what a
//! flow or a service says. Out: programs, and the name in an answer. Sends nothing.
//!
//! A client sends a message of zeros and gets it back, one at a time. Over TCP a server takes the first [`NAME_ROOM`] bytes of a connection,
//! writes its name over their beginning, sends them back and echoes every byte from then on; the client goes on with the message that it got
//! back. Over UDP every answer has the name. Content is verified here, which ctraffic itself does not do: the bytes behind the name must be
//! those that were sent.

use scn_grammar::scenario::pattern::{Rest, Side, Varying};
use scn_grammar::scenario::transport::{Listener, Transport, Wire};
use scn_grammar::source::Span;

use super::pattern::program::{Act, Operation, Program};
use crate::plan::types::{Plan, PlannedFlow, PlannedListener};

/// Bytes in which a server's name stands, and which it waits for before it answers.
pub const NAME_ROOM: usize = 64;
/// A message if nothing is said, bytes: that of ctraffic.
pub const SIZE: u64 = 1024;

/// What a flow's client plays; `None`: it speaks another wire.
pub fn client(flow: &PlannedFlow) -> Option<Program> {
    let (Transport::Tcp { wire: Wire::Ctraffic, .. } | Transport::Udp { wire: Wire::Ctraffic, .. }) = flow.transport else { return None };
    let size = flow.load.size.clone().unwrap_or(Varying::Fixed(SIZE));
    let mut program = program(Side::Client, flow.span);
    program.steps[0].0 = format!("message of ctraffic's wire to {}", flow.place());
    program.operations = vec![operation(Act::SendBlank(size)), operation(Act::TakeNamed)];
    (program.speaks_first, program.compares) = (false, true);
    Some(program)
}

/// What a service plays; `None`: it speaks another wire.
pub fn server(listener: &PlannedListener) -> Option<Program> {
    let stream = match listener.listener {
        Listener::Tcp { wire: Wire::Ctraffic, .. } => true,
        Listener::Udp { wire: Wire::Ctraffic, .. } => false,
        _ => return None,
    };
    let mut program = program(Side::Server, listener.span);
    program.steps[0].0 = "message of ctraffic's wire".to_owned();
    program.keeps = true;
    let acts = if stream {
        // The first transaction leaps over the others'.
        program.later = 3;
        vec![Act::TakeCount(NAME_ROOM as u64), Act::SendNamed, Act::Jump(usize::MAX), Act::TakeAny, Act::SendBack]
    } else {
        vec![Act::TakeAny, Act::SendNamed]
    };
    program.operations = acts.into_iter().map(operation).collect();
    Some(program)
}

fn program(side: Side, span: Span) -> Program {
    Program {
        side,
        operations: Vec::new(),
        later: 0,
        steps: vec![(String::new(), span)],
        captures: 0,
        speaks_first: false,
        receives: true,
        keeps: false,
        compares: false,
        allowance_ns: 0,
    }
}

fn operation(act: Act) -> Operation {
    Operation { step: 0, within_ns: None, rest: Rest::Nothing, act }
}

/// Writes a name over the beginning of a message, as far as there is room.
pub fn write_name(name: &str, message: &mut [u8]) {
    let length = name.len().min(NAME_ROOM).min(message.len());
    message[..length].copy_from_slice(&name.as_bytes()[..length]);
}

/// The name at the beginning of an answer to zeros.
///
/// # Errors
/// The place of the first byte that is neither of a name nor zero.
pub fn name(answer: &[u8]) -> Result<&[u8], usize> {
    let room = &answer[..answer.len().min(NAME_ROOM)];
    let end = room.iter().position(|byte| *byte == 0).unwrap_or(room.len());
    match answer[end..].iter().position(|byte| *byte != 0) {
        None => Ok(&answer[..end]),
        Some(wrong) => Err(end + wrong),
    }
}

/// The node whose name somebody answers with; `u16::MAX`: none of the scenario.
pub fn node(plan: &Plan, name: &[u8]) -> u16 {
    plan.nodes.iter().position(|node| node.name.as_bytes() == name).and_then(|at| u16::try_from(at).ok()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_over_the_beginning_of_a_message() {
        let mut message = vec![0; 100];
        assert_eq!(name(&message), Ok(&b""[..]), "a plain echo");
        write_name("server-1", &mut message);
        assert_eq!(name(&message), Ok(&b"server-1"[..]));
        write_name(&"n".repeat(80), &mut message);
        assert_eq!(name(&message), Ok(&[b'n'; NAME_ROOM][..]), "no longer than its room");
    }

    #[test]
    fn what_is_neither_a_name_nor_zero_is_found() {
        let mut message = vec![0; 100];
        write_name("server", &mut message);
        message[70] = 1;
        assert_eq!(name(&message), Err(70));
        message[9] = 1;
        assert_eq!(name(&message), Err(9), "a name ends at its first zero");
    }
}
