//! Controlled delay.

use scn_grammar::scenario::topology::{Codel, Impairment, Queue, QueueLimit};

use super::{Bench, MS, Made, SECOND, sum, udp};

const TARGET: u64 = 5 * MS;
const INTERVAL: u64 = 100 * MS;

fn codel(ecn: bool) -> Impairment {
    let codel = Some(Codel { target_ns: TARGET, interval_ns: INTERVAL, ecn });
    let queue = Queue { limit: QueueLimit::Packets(100_000), said: true, codel };
    Impairment { rate_bps: Some(8_000_000), queue, ..Impairment::default() }
}

/// The pseudo code of RFC 8289, section 5, on a queue of arrivals (ns) that leave one each ms. Out: numbers of dropped packets, from 1.
fn by_the_rfc(arrivals: &[u64], bytes_each: u64) -> Vec<u32> {
    let law = |t: u64, count: u64| t + (INTERVAL as f64 / (count as f64).sqrt()) as u64;
    let (mut first_above, mut drop_next, mut count, mut last_count, mut dropping) = (0u64, 0u64, 0u64, 0u64, false);
    let (mut head, mut now, mut dropped) = (0usize, 0u64, Vec::new());
    while head < arrivals.len() {
        // The link is free: it takes the next, or waits for it.
        now = now.max(arrivals[head]);
        let mut dodequeue = |head: &mut usize| -> (Option<usize>, bool) {
            if *head >= arrivals.len() || arrivals[*head] > now {
                first_above = 0;
                return (None, false);
            }
            let packet = *head;
            *head += 1;
            let waiting = arrivals[*head..].iter().take_while(|at| **at <= now).count() as u64;
            if now - arrivals[packet] < TARGET || waiting * bytes_each <= 1514 {
                first_above = 0;
                (Some(packet), false)
            } else if first_above == 0 {
                first_above = now + INTERVAL;
                (Some(packet), false)
            } else {
                (Some(packet), now >= first_above)
            }
        };
        let (mut packet, mut ok) = dodequeue(&mut head);
        if dropping {
            if !ok {
                dropping = false;
            }
            while now >= drop_next && dropping {
                dropped.push(packet.unwrap() as u32 + 1);
                count += 1;
                (packet, ok) = dodequeue(&mut head);
                if ok {
                    drop_next = law(drop_next, count);
                } else {
                    dropping = false;
                }
            }
        } else if ok {
            dropped.push(packet.unwrap() as u32 + 1);
            (packet, _) = dodequeue(&mut head);
            dropping = true;
            let delta = count - last_count;
            count = if delta > 1 && now - drop_next < 16 * INTERVAL { delta } else { 1 };
            drop_next = law(now, count);
            last_count = count;
        }
        if packet.is_some() {
            now += MS;
        }
    }
    dropped
}

fn dropped(bench: &Bench, count: u32) -> Vec<u32> {
    let came = bench.ids();
    (1..=count).filter(|id| came.binary_search(id).is_err()).collect()
}

#[test]
fn packets_are_dropped_as_the_rfc_says() {
    // A link of one packet a ms: too much for two seconds, too little for one, again too much; then the same less regularly.
    let phases = |every: [u64; 3]| {
        let mut arrivals = Vec::new();
        for (phase, every) in every.into_iter().enumerate() {
            let (from, until) = ([0, 2, 3][phase] * SECOND, [2, 3, 6][phase] * SECOND);
            arrivals.extend((from..until).step_by(usize::try_from(every).unwrap()));
        }
        arrivals
    };
    let ragged = |arrivals: Vec<u64>| -> Vec<u64> {
        let mut arrivals: Vec<u64> = arrivals.iter().enumerate().map(|(at, ns)| ns + (at as u64 * 7919 % 23) * 100_000).collect();
        arrivals.sort_unstable();
        arrivals
    };
    for arrivals in [phases([800_000, 3 * MS, 900_000]), ragged(phases([700_000, 2 * MS, 800_000]))] {
        let mut bench = Bench::new(codel(false));
        arrivals.iter().for_each(|at| bench.give(*at, udp(1000)));
        bench.drain();
        let expected = by_the_rfc(&arrivals, 1000);
        assert!(expected.len() > 30, "{}", expected.len());
        assert_eq!(dropped(&bench, arrivals.len() as u32), expected);
        assert_eq!(bench.way.counts().managed, expected.len() as u64);
        assert!(bench.way.counts().closes(0));
    }
}

#[test]
fn a_short_burst_passes_whole() {
    let mut bench = Bench::new(codel(false));
    (0..90).for_each(|_| bench.give(0, udp(1000)));
    bench.drain();
    assert_eq!(bench.way.counts().managed, 0);
}

#[test]
fn who_allows_it_is_marked_instead() {
    let mut frames = [udp(1000), udp(1000)];
    // The first sort allows marks: ECT(0), with its checksum.
    frames[0][15] = 0b10;
    frames[0][24..26].fill(0);
    let right = !sum(&frames[0][14..34]);
    frames[0][24..26].copy_from_slice(&right.to_be_bytes());
    for (frame, marks) in frames.iter().zip([true, false]) {
        let mut bench = Bench::new(codel(true));
        (0..4000u64).for_each(|at| bench.give(at * 800_000, frame.clone()));
        bench.drain();
        let counts = *bench.way.counts();
        let marked: Vec<&Made> = bench.out.iter().map(|(_, made)| made).filter(|made| made.frame[15] & 0b11 == 0b11).collect();
        assert_eq!(marked.len() as u64, counts.marked);
        assert_eq!((counts.marked > 10, counts.managed > 10), (marks, !marks), "{counts:?}");
        assert!(marked.iter().all(|made| sum(&made.frame[14..34]) == 0xffff), "the header's checksum is right");
    }
}
