//! Reads `TCP_INFO` of a socket. In: an open socket. Out: one [`TcpSample`]. Decides nothing about when.
//!
//! Older kernels return a shorter structure, newer ones a longer one: only the part that both know is read, and fields that the
//! kernel did not fill in stay 0.

use std::os::fd::RawFd;

use scn_reports::record::flow::TcpSample;

/// The head of Linux's `struct tcp_info`, up to the delivery rate.
#[repr(C)]
#[derive(Default)]
struct TcpInfo {
    state: u8,
    ca_state: u8,
    retransmits: u8,
    probes: u8,
    backoff: u8,
    options: u8,
    window_scales: u8,
    flags: u8,
    rto: u32,
    ato: u32,
    snd_mss: u32,
    rcv_mss: u32,
    unacked: u32,
    sacked: u32,
    lost: u32,
    retrans: u32,
    fackets: u32,
    last_data_sent: u32,
    last_ack_sent: u32,
    last_data_recv: u32,
    last_ack_recv: u32,
    pmtu: u32,
    rcv_ssthresh: u32,
    rtt: u32,
    rttvar: u32,
    snd_ssthresh: u32,
    snd_cwnd: u32,
    advmss: u32,
    reordering: u32,
    rcv_rtt: u32,
    rcv_space: u32,
    total_retrans: u32,
    pacing_rate: u64,
    max_pacing_rate: u64,
    bytes_acked: u64,
    bytes_received: u64,
    segs_out: u32,
    segs_in: u32,
    notsent_bytes: u32,
    min_rtt: u32,
    data_segs_in: u32,
    data_segs_out: u32,
    delivery_rate: u64,
}

/// Bytes without which nothing useful was told: up to `total_retrans`.
const LEAST: usize = 104;

/// What the kernel tells of a socket now; `None`: it tells nothing (not TCP, or not open). Instant, connection and end are the
/// caller's to fill in.
pub fn read_raw(socket: RawFd) -> Option<TcpSample> {
    let mut info = TcpInfo::default();
    let mut length = libc::socklen_t::try_from(size_of::<TcpInfo>()).ok()?;
    // SAFETY: a number that is no open socket only makes the call fail; `info` is plain integers, any bytes are valid for it, and
    // the kernel writes at most `length` bytes, which is its size.
    let result =
        unsafe { libc::getsockopt(socket, libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast::<libc::c_void>(), &raw mut length) };
    if result != 0 || (length as usize) < LEAST {
        return None;
    }
    Some(TcpSample {
        rtt_us: info.rtt,
        rttvar_us: info.rttvar,
        // The kernel says "all ones" while it has seen no round trip.
        min_rtt_us: if info.min_rtt == u32::MAX { 0 } else { info.min_rtt },
        cwnd: info.snd_cwnd,
        ssthresh: info.snd_ssthresh,
        retransmits: info.total_retrans,
        lost: info.lost,
        unacked: info.unacked,
        reordering: info.reordering,
        bytes_acked: info.bytes_acked,
        bytes_received: info.bytes_received,
        delivery_rate: info.delivery_rate,
        pacing_rate: if info.pacing_rate == u64::MAX { 0 } else { info.pacing_rate },
        ca_state: info.ca_state,
        state: info.state,
        ..TcpSample::default()
    })
}
