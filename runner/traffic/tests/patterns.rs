//! Every verb of patterns, between our client and our server.

use super::*;
use Side::{Client, Server};
use scn_reports::record::flow::ConnectionEnd;

/// Runs `total` connections of a pattern that shall go well.
async fn goes_well(pattern: Pattern, total: u64, connections: u64) -> FlowSeries {
    let load = Load { total: Some(total), connections, ..load() };
    let mut running = start(plan(pattern.clone(), Some(pattern), load)).await;
    running.ended().await;
    let series = running.finish().await;
    assert_eq!(series.failures, vec![]);
    assert_eq!(done(&series), total as usize);
    assert_eq!(series.items.len(), total as usize);
    assert!(series.finished);
    assert!(series.items.iter().all(|item| item.backend == 1), "{:?}", series.items.first());
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Closed && c.backend == 1 && c.transactions == 1));
    series
}

#[tokio::test]
async fn request_and_answer_of_all_sizes() {
    for size in [1, 2, 31, 32, 33, 64, 1024, 65_536, 65_537, 3_000_000] {
        let series = goes_well(sym(size), 4, 2).await;
        assert!(series.items.iter().all(|i| u64::from(i.forward_bytes) == size && u64::from(i.back_bytes) == size));
    }
}

#[tokio::test]
async fn drawn_sizes_are_the_same_with_the_same_seed() {
    let random = Payload::Random(Varying::Uniform(1, 5000));
    let pattern = pattern(vec![("client sends", sends(Client, random.clone(), true)), ("server sends", sends(Server, random, true))]);
    let sizes = |series: &FlowSeries| {
        let mut sizes: Vec<_> = series.items.iter().map(|i| (i.connection, i.forward_bytes, i.back_bytes)).collect();
        sizes.sort_unstable();
        sizes
    };
    let first = goes_well(pattern.clone(), 20, 1).await;
    let second = goes_well(pattern, 20, 1).await;
    assert_eq!(sizes(&first), sizes(&second));
    assert!(first.items.iter().any(|i| i.forward_bytes != i.back_bytes));
}

fn mail_session(messages: u64) -> Pattern {
    let (helo, who) = (Template(vec![part("HELO "), TemplatePart::ClientName, part("\r\n")]), TemplatePart::Capture("who".to_owned()));
    let hello = Template(vec![part("250 hello "), who, part(" from "), TemplatePart::ServerName, part("\r\n")]);
    let message = vec![
        StepKind::Pause { by: Client, duration: Varying::Uniform(10_000, 500_000) },
        sends(Client, Payload::Random(Varying::Uniform(1, 1024)), false),
        StepKind::Echoes { by: Server },
    ];
    pattern(vec![
        ("server sends ready", says(Server, "220 ready\r\n")),
        ("client expects 220", within(Client, Expected::Text(literal("220")), 2_000, Rest::Line)),
        ("client sends HELO", sends(Client, Payload::Text(helo), false)),
        ("server expects HELO", expects(Server, Expected::Regex(r"^HELO (?<who>\S+)\r\n".to_owned()))),
        ("server sends hello", sends(Server, Payload::Text(hello), false)),
        ("client expects line", expects(Client, Expected::Line("^250 hello client from server$".to_owned()))),
        ("repeat", StepKind::Repeat { count: Varying::Fixed(messages), steps: steps(message) }),
        ("client sends QUIT", says(Client, "QUIT\r\n")),
        ("server expects QUIT", expects(Server, Expected::Text(literal("QUIT\r\n")))),
        ("server closes", closes(Server, Close::Close)),
    ])
}

fn part(text: &str) -> TemplatePart {
    TemplatePart::Literal(text.to_owned())
}

fn within(by: Side, what: Expected, ms: u64, rest: Rest) -> StepKind {
    StepKind::Expects { by, what, within_ns: Some(ms * 1_000_000), rest }
}

#[tokio::test]
async fn a_mail_session_captures_greets_echoes_and_closes() {
    goes_well(mail_session(5), 40, 8).await;
    goes_well(mail_session(0), 3, 1).await;
}

#[tokio::test]
async fn texts_bytes_lines_sizes_and_anything() {
    let bytes = vec![0, 255, 10, 13, 7];
    let pattern = pattern(vec![
        ("client sends bytes", sends(Client, Payload::Bytes(bytes.clone()), false)),
        ("server expects bytes", expects(Server, Expected::Bytes(bytes))),
        ("server sends lines", says(Server, "250-one\n250 two\r\nrest")),
        ("client expects line", expects(Client, Expected::Line("^250-one$".to_owned()))),
        ("client expects line", expects(Client, Expected::Line("^250 two$".to_owned()))),
        ("client expects size", expects(Client, Expected::Size(4))),
        ("client sends words", says(Client, "some words")),
        ("server expects any", within(Server, Expected::Any, 2_000, Rest::Message(10))),
        ("server sends size", sends(Server, Payload::Filled(Varying::Fixed(2000)), false)),
        ("client expects size", expects(Client, Expected::Size(2000))),
        (
            "nested",
            StepKind::Repeat {
                count: Varying::Fixed(3),
                steps: steps(vec![
                    StepKind::Repeat { count: Varying::Fixed(2), steps: steps(vec![filled(Client, 40), StepKind::Echoes { by: Server }]) },
                    filled(Server, 7),
                ]),
            },
        ),
        ("server sends", says(Server, "ping")),
        ("client echoes", StepKind::Echoes { by: Client }),
    ]);
    let series = goes_well(pattern, 6, 2).await;
    assert!(series.items.iter().all(|i| i.forward_bytes == 5 + 10 + 3 * 2 * 40 + 4), "{:?}", series.items[0]);
    assert!(series.items.iter().all(|i| i.back_bytes == 20 + 1 + 4 + 2000 + 3 * (2 * 40 + 7)), "{:?}", series.items[0]);
}

#[tokio::test]
async fn either_side_closes_half_closes_and_resets() {
    let ask = || ("client sends", filled(Client, 100));
    let answer = || ("server sends", filled(Server, 100));
    goes_well(pattern(vec![ask(), answer(), ("client closes", closes(Client, Close::Close))]), 5, 1).await;
    goes_well(pattern(vec![ask(), ("server closes", closes(Server, Close::Close))]), 5, 1).await;
    goes_well(pattern(vec![ask(), answer(), ("client resets", closes(Client, Close::Reset))]), 5, 1).await;
    goes_well(pattern(vec![ask(), ("server resets", closes(Server, Close::Reset))]), 5, 1).await;
    goes_well(pattern(vec![ask(), ("client half closes", closes(Client, Close::Half)), answer()]), 5, 1).await;
    goes_well(pattern(vec![ask(), ("server half closes", closes(Server, Close::Half)), ("client sends", filled(Client, 9))]), 5, 1).await;
}

#[tokio::test]
async fn one_way_patterns_and_both_families() {
    goes_well(pattern(vec![("server sends", filled(Server, 100_000))]), 5, 1).await;
    let sym = sym(500);
    let mut plan = plan(sym.clone(), Some(sym), Load { total: Some(5), ..load() });
    let port = free_port();
    plan.flows[0].target = SocketAddr::new("::1".parse().unwrap(), port);
    plan.listeners[0].address = "::".parse().unwrap();
    plan.listeners[0].port = port;
    let mut running = start(plan).await;
    running.ended().await;
    let series = running.finish().await;
    assert_eq!((done(&series), series.failures.len()), (5, 0));
    assert!(series.connections.iter().all(|c| c.backend == 1 && c.local.starts_with("[::1]:")), "{:?}", series.connections[0]);
}

#[tokio::test]
async fn held_connections_repeat_patterns_that_the_server_begins() {
    let talk = pattern(vec![
        ("server sends", says(Server, "next?\r\n")),
        ("client expects", expects(Client, Expected::Line("next".to_owned()))),
        ("client sends", filled(Client, 64)),
    ]);
    let mut running = start(plan(talk.clone(), Some(talk), Load { connections: 3, ..load() })).await;
    // The workers open their connections independently: one may have done all of these before another has begun.
    running.at_least("active", 3).await;
    running.at_least("transactions", 300).await;
    running.stop().await;
    let series = running.finish().await;
    assert!(done(&series) >= 300);
    assert_eq!((series.connections.len(), series.failures.len()), (3, 0));
}

#[tokio::test]
async fn texts_with_holes_that_nobody_reads_are_taken_whole() {
    let name = || TemplatePart::ServerName;
    let lines = Template(vec![part("220 "), name(), part(" ready\r\n250 ok\r\n")]);
    let no_feed = Template(vec![part("<"), name(), part(">")]);
    let open = Template(vec![part("name="), name()]);
    for text in [lines, no_feed, open] {
        let steps = vec![
            ("client sends", sends(Client, Payload::Filled(Varying::Fixed(64)), true)),
            ("server sends text", sends(Server, Payload::Text(text), true)),
            ("client sends again", sends(Client, Payload::Filled(Varying::Fixed(64)), true)),
            ("server sends", sends(Server, Payload::Filled(Varying::Fixed(64)), true)),
        ];
        goes_well(pattern(steps), 6, 2).await;
    }
}
