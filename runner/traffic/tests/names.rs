//! Flows to names: what was found is gone to in turn, asked for anew after what broke, and told.

use super::*;
use Side::Client;
use scn_grammar::scenario::flow::Destination;
use scn_grammar::scenario::transport::{Listener, Socket, Transport, Wire};
use scn_reports::record::flow::ConnectionEnd;
use std::net::UdpSocket;

/// How often `late.test` was asked for.
static ASKED: AtomicU16 = AtomicU16::new(0);

/// The resolver of the tests.
pub fn look_up(name: &str) -> Answer<Vec<IpAddr>> {
    let v4 = |last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    let answer = match name {
        "two.test" => Ok(vec![v4(2), v4(1)]),
        "late.test" if ASKED.fetch_add(1, Ordering::SeqCst) == 0 => Err(io::Error::other("Name or service not known")),
        "late.test" => Ok(vec![v4(1)]),
        "slow.test" => Err(io::ErrorKind::TimedOut.into()),
        "six.test" => Ok(vec![IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)]),
        _ => panic!("{name}"),
    };
    Box::pin(async move { answer })
}

fn to(name: &str, mut plan: Plan) -> Plan {
    let flow = &mut plan.flows[0];
    flow.to = Destination::HostName(name.to_owned(), Some(flow.target.port()));
    flow.target.set_ip(Ipv4Addr::UNSPECIFIED.into());
    flow.backends.clear();
    plan
}

fn told(series: &FlowSeries) -> Vec<(Vec<&str>, &str)> {
    series.lookups.iter().map(|look| (look.found.iter().map(String::as_str).collect(), look.failed.as_str())).collect()
}

#[tokio::test]
async fn after_an_address_of_no_use_comes_the_next() {
    let mut running = start(to("two.test", plan(sym(64), Some(sym(64)), load()))).await;
    running.at_least("received", 20).await;
    running.stop().await;
    let series = running.finish().await;
    assert_eq!(told(&series), [(vec!["127.0.0.2", "127.0.0.1"], "")], "what was found again is told once");
    let (last, refused) = series.connections.split_last().unwrap();
    assert!(!refused.is_empty() && refused.iter().all(|c| c.end == ConnectionEnd::Refused && c.remote.starts_with("127.0.0.2:")));
    assert!(last.remote.starts_with("127.0.0.1:") && last.transactions >= 20, "{last:?}");
}

#[tokio::test]
async fn a_name_that_is_not_found_fails_connections_in_the_resolvers_words() {
    let mut load = load();
    load.total = Some(3);
    let mut running = start(to("slow.test", plan(sym(64), Some(sym(64)), load))).await;
    running.ended().await;
    let series = running.finish().await;
    let ends: Vec<(ConnectionEnd, bool)> = series.connections.iter().map(|c| (c.end, c.remote.starts_with("slow.test:"))).collect();
    assert_eq!(ends, [(ConnectionEnd::ConnectTimeout, true); 3]);
    let failure = &series.failures[0];
    assert_eq!((failure.step.as_str(), failure.what.as_str()), ("look up slow.test in client", "no answer within 5s"));
    assert_eq!(told(&series), [(vec![], "no answer within 5s")]);
    assert!(series.items.is_empty(), "nothing was sent, and nothing is lost");
}

#[tokio::test]
async fn the_pause_before_an_attempt_is_what_is_said_and_never_less_than_an_answer_is_kept() {
    for (after_ns, least_ns) in [(0, 100_000_000), (250_000_000, 250_000_000)] {
        let mut plan = to("slow.test", plan(sym(64), None, Load { total: Some(3), ..load() }));
        plan.flows[0].reconnect = Some(Reconnect { after_ns, ..Reconnect::default() });
        let mut running = start(plan).await;
        running.ended().await;
        let series = running.finish().await;
        assert_eq!(series.connections.len(), 3);
        let pauses = series.connections.windows(2).map(|pair| pair[1].opened_ns - pair[0].closed_ns);
        assert!(pauses.clone().all(|pause| pause >= least_ns), "{:?}", pauses.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn datagrams_wait_for_the_name() {
    let once = pattern(vec![("client sends", filled(Client, 100))]);
    let mut plan = plan(once, None, Load { total: Some(4), ..load() });
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    plan.flows[0].target.set_port(server.local_addr().unwrap().port());
    plan.flows[0].transport = Transport::Udp { socket: Socket::default(), wire: Wire::Own };
    assert!(!plan.listeners.iter().any(|listener| matches!(listener.listener, Listener::Udp { .. })), "nobody of scn's answers");
    let mut running = start(to("late.test", plan)).await;
    running.ended().await;
    let series = running.finish().await;
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    for _ in 0..4 {
        assert_eq!(server.recv_from(&mut [0; 200]).unwrap().0, 100);
    }
    assert_eq!(told(&series), [(vec![], "Name or service not known"), (vec!["127.0.0.1"], "")]);
    assert_eq!((series.failures[0].step.as_str(), series.failures[0].count), ("look up late.test in client", 1));
}

#[tokio::test]
async fn datagrams_to_a_name_that_is_never_found_end_and_are_errors() {
    for said in [sym(64), pattern(vec![("client sends", filled(Side::Client, 64))])] {
        let mut plan = plan(said, None, Load { total: Some(2), rate_nano: Some(100 * 1_000_000_000), ..load() });
        plan.flows[0].transport = Transport::Udp { socket: Socket::default(), wire: Wire::Own };
        let mut running = start(to("slow.test", plan)).await;
        running.ended().await;
        assert_eq!(running.traffic.live(FLOW).get("errors"), Some(2));
        let series = running.finish().await;
        let ends: Vec<(ConnectionEnd, bool)> = series.connections.iter().map(|c| (c.end, c.remote.starts_with("slow.test:"))).collect();
        assert_eq!(ends, [(ConnectionEnd::ConnectTimeout, true); 2]);
        assert!(
            series.items.iter().all(|item| matches!(item.outcome, ItemOutcome::Dropped | ItemOutcome::Unfinished)),
            "{:?}",
            series.items
        );
        assert!(!series.datagrams.unwrap().unwatched, "nothing was sent that nobody saw");
    }
}

#[tokio::test]
async fn a_flow_that_starts_from_one_family_goes_to_it() {
    let mut plan = to("six.test", plan(sym(64), None, Load { total: Some(1), ..load() }));
    plan.flows[0].source = vec![scn_grammar::scenario::topology::Prefix { address: Ipv4Addr::LOCALHOST.into(), length: 32 }];
    let mut running = start(plan).await;
    running.ended().await;
    let series = running.finish().await;
    assert_eq!(series.failures[0].what, "::1: no address of the family that the flow starts from");
}
