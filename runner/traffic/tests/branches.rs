//! What both ends decide alike without a word: branches, varying repetitions. And files.

use std::io::{Read as _, Write as _};

use super::*;
use Side::{Client, Server};
use scn_grammar::scenario::pattern::{Branch, PayloadFile};

fn branch(share: u64, kinds: Vec<StepKind>) -> Branch {
    Branch { span: span(0), share_nano: share * 10_000_000, steps: steps(kinds) }
}

/// 70 %: the client speaks first, and a few times. 30 %: the server does.
fn divided() -> Pattern {
    let more = StepKind::Repeat { count: Varying::Uniform(0, 3), steps: steps(vec![filled(Client, 40), filled(Server, 40)]) };
    let choose = StepKind::Choose {
        branches: vec![
            branch(70, vec![filled(Client, 1000), filled(Server, 10), more]),
            branch(30, vec![says(Server, "hello\n"), expects(Client, Expected::Line("hello".into())), filled(Client, 50)]),
        ],
    };
    pattern(vec![("choose", choose), ("client sends", filled(Client, 33)), ("server sends", filled(Server, 33))])
}

async fn forward_bytes(plan: Plan, files: &Files) -> Vec<u32> {
    let mut running = start_with(plan, files).await;
    running.ended().await;
    let series = running.finish().await;
    assert_eq!(series.failures, vec![]);
    let mut items: Vec<_> = series.items.iter().map(|item| (item.connection, item.forward_bytes)).collect();
    items.sort_unstable();
    items.into_iter().map(|(_, bytes)| bytes).collect()
}

#[tokio::test]
async fn both_ends_take_the_same_branch_as_often_as_it_says() {
    let load = Load { total: Some(300), connections: 4, ..load() };
    let mut first = forward_bytes(plan(divided(), Some(divided()), load.clone()), &Files::new()).await;
    assert_eq!(first.len(), 300);
    let second = first.iter().filter(|bytes| **bytes == 50 + 33).count();
    assert!((60..=120).contains(&second), "{second} of 300 took the branch of 30 %");
    for rounds in 0..=3 {
        let count = first.iter().filter(|bytes| **bytes == 1000 + 33 + 40 * rounds).count();
        assert!((25..=85).contains(&count), "{count} of about 210 went round {rounds} times");
    }
    let mut again = forward_bytes(plan(divided(), Some(divided()), load), &Files::new()).await;
    // Which of the connections at once is done first is the machine's choice.
    first.sort_unstable();
    again.sort_unstable();
    assert_eq!(first, again, "the same seed takes the same branches");
}

#[tokio::test]
async fn several_transactions_of_a_connection_choose_anew() {
    let load = Load { total: Some(10), transactions: Some(20), connections: 2, ..load() };
    let bytes = forward_bytes(plan(divided(), Some(divided()), load), &Files::new()).await;
    assert_eq!(bytes.len(), 200);
    assert!(bytes[..20].contains(&83) && bytes[..20].iter().any(|bytes| *bytes > 1000), "{:?}", &bytes[..20]);
}

/// Passes every connection on to another port: the server sees another client address.
fn relay(to: u16) -> u16 {
    let port = free_port();
    serve_on(port, move |mut inward| {
        let mut outward = std::net::TcpStream::connect(("127.0.0.1", to)).unwrap();
        let (mut back, mut forth) = (outward.try_clone().unwrap(), inward.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut back, &mut forth);
            let _ = forth.shutdown(std::net::Shutdown::Both);
        });
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = inward.read(&mut buffer) {
                if outward.write_all(&buffer[..count]).is_err() {
                    return;
                }
            }
            let _ = outward.shutdown(std::net::Shutdown::Both);
        });
    });
    port
}

fn relayed(pattern: Pattern, total: u64) -> Plan {
    let mut plan = plan(pattern.clone(), Some(pattern), Load { total: Some(total), ..load() });
    plan.flows[0].target.set_port(relay(plan.listeners[0].port));
    plan
}

#[tokio::test]
async fn a_server_behind_a_proxy_learns_the_branch_from_the_first_filling() {
    let choose = StepKind::Choose {
        branches: vec![
            branch(50, vec![filled(Client, 100), filled(Server, 10)]),
            branch(50, vec![filled(Client, 200), filled(Server, 20)]),
        ],
    };
    let bytes = forward_bytes(relayed(pattern(vec![("choose", choose)]), 20), &Files::new()).await;
    assert!(bytes.contains(&100) && bytes.contains(&200), "{bytes:?}");
}

#[tokio::test]
async fn a_server_behind_a_proxy_that_cannot_know_the_branch_says_so() {
    let text = |text| vec![says(Client, text), expects(Server, Expected::Line(text.trim().into())), filled(Server, 40)];
    let choose = StepKind::Choose { branches: vec![branch(50, text("one\n")), branch(50, text("two\n"))] };
    let mut running = start(relayed(pattern(vec![("choose", choose)]), 1)).await;
    running.ended().await;
    let result = running.finish_all().await;
    assert!(result.flows[0].items.iter().all(|item| item.outcome == ItemOutcome::Failed));
    let said = format!("{:?} {:?}", result.flows[0].failures, result.warnings);
    assert!(said.contains("which way the client takes is not known"), "{said}");
}

#[tokio::test]
async fn files_are_sent_verified_and_echoed() {
    let file = |path: &str| PayloadFile { path: path.into(), beside: FileId(0) };
    let large: Arc<[u8]> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    let files: Files = [(file("small"), Arc::from(*b"hello")), (file("large"), large)].into_iter().collect();
    let talk = pattern(vec![
        ("client sends file", sends(Client, Payload::File(file("small")), true)),
        ("server sends file", sends(Server, Payload::File(file("large")), true)),
        ("client sends file", sends(Client, Payload::File(file("small")), true)),
        ("server echoes", StepKind::Echoes { by: Server }),
    ]);
    let load = Load { total: Some(5), ..load() };
    assert_eq!(forward_bytes(plan(talk.clone(), Some(talk.clone()), load.clone()), &files).await, [10; 5]);

    let (sender, _notices) = unbounded_channel();
    let missing =
        Traffic::prepare(Arc::new(plan(talk.clone(), Some(talk), load)), &Files::new(), &Secrets::default(), Arc::new(Loopback), sender)
            .await;
    let error = missing.err().unwrap().to_string();
    assert_eq!(error, "the pattern of steady cannot be carried out: the file small was not read");
}

#[tokio::test]
async fn a_file_that_comes_with_a_wrong_byte_is_corrupt() {
    let file = PayloadFile { path: "page".into(), beside: FileId(0) };
    let files: Files = [(file.clone(), Arc::from(*b"0123456789"))].into_iter().collect();
    let talk = pattern(vec![("server sends file", sends(Server, Payload::File(file), true))]);
    let plan = plan(talk, None, Load { total: Some(1), ..load() });
    serve_on(plan.flows[0].target.port(), |mut stream| stream.write_all(b"01234x6789").unwrap());
    let mut running = start_with(plan, &files).await;
    running.ended().await;
    let series = running.finish().await;
    assert_eq!(series.corrupt.len(), 1, "{:?}", series.failures);
    assert_eq!(series.corrupt[0].offset, 5);
}
