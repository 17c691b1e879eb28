//! The user-space engine for links: delay, and cuts. In: outer ends in the fabric namespace, delays. Out: frames carried by a thread,
//! and its account of them. Offloads stay on: a frame may be many packets that are not cut apart yet, which delay does not mind.

mod account;
mod poller;
mod pump;
mod receive;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use scn_reports::record::LinkAccount;

use self::account::Counters;
use super::error::LabError;
use super::namespace::Namespace;
use super::packet;

/// What a tap may hold while the pump is busy, bytes. Who is not root gets as much of it as the machine allows.
const TAP_BUFFER_BYTES: usize = 16 << 20;
/// The pump's priority where the machine allows it one.
const PRIORITY: libc::c_int = 10;

/// A wire to be carried.
pub(crate) struct Span {
    /// The link's position in the plan.
    pub(crate) link: usize,
    /// Indexes of the outer ends in the fabric.
    pub(crate) outer: [u32; 2],
    /// Delay of frames from each end, ns.
    pub(crate) delay_ns: [u64; 2],
}

/// What the lab keeps of one wire.
struct Kept {
    taps: Arc<[socket2::Socket; 2]>,
    counters: Arc<Counters>,
}

/// All wires of a lab and the thread that serves them.
pub(crate) struct Wires {
    kept: BTreeMap<usize, Kept>,
    stop: OwnedFd,
    thread: Option<JoinHandle<io::Result<()>>>,
    /// How the pump is scheduled, for the record.
    pub(crate) scheduling: &'static str,
}

impl Wires {
    /// Opens the taps and starts the pump, on a thread of its own in the fabric.
    pub(crate) fn start(namespaces: &Arc<Vec<Namespace>>, fabric: usize, spans: Vec<Span>) -> Result<Self, LabError> {
        let failed = |cause: io::Error| LabError::system("wires", "start the pump", &cause);
        let (stopped, stop) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(|cause| failed(cause.into()))?;
        let (sender, ready) = sync_channel(1);
        let namespaces = Arc::clone(namespaces);
        let thread = std::thread::Builder::new().name("scn-pump".to_owned()).spawn(move || {
            let made = open(&namespaces[fabric], &spans);
            // The pump holds taps, not namespaces: those go when the lab lets go of them.
            drop(namespaces);
            let (kept, wires) = match made {
                Ok(made) => made,
                Err(cause) => {
                    let _ = sender.send(Err(cause));
                    return Ok(());
                }
            };
            let pump = pump::Pump::new(wires, stopped);
            let scheduling = prefer();
            match pump {
                Ok(pump) => {
                    let _ = sender.send(Ok((kept, scheduling)));
                    pump.run()
                }
                Err(cause) => {
                    let _ = sender.send(Err(cause));
                    Ok(())
                }
            }
        });
        let thread = thread.map_err(failed)?;
        let (kept, scheduling) = ready.recv().map_err(|_| failed(io::Error::other("the thread ended")))?.map_err(failed)?;
        Ok(Wires { kept, stop, thread: Some(thread), scheduling })
    }

    /// Cuts a wire or joins it.
    pub(crate) fn set_cut(&self, link: usize, cut: bool) {
        if let Some(kept) = self.kept.get(&link) {
            kept.counters.set_cut(cut);
        }
    }

    /// Frames that a cut has taken so far.
    pub(crate) fn cut_frames(&self, link: usize) -> u64 {
        self.kept.get(&link).map_or(0, |kept| kept.counters.cut_in_all())
    }

    /// The account of a link; `None`: it is no wire.
    pub(crate) fn account(&self, link: usize) -> Option<LinkAccount> {
        let kept = self.kept.get(&link)?;
        for end in 0..2 {
            // What the kernel could not keep for us came in, too.
            let lost = packet::lost(&kept.taps[end]);
            kept.counters.entered[end].fetch_add(lost, Ordering::AcqRel);
            kept.counters.dropped[end].fetch_add(lost, Ordering::AcqRel);
        }
        Some(kept.counters.account())
    }

    /// The pump has ended though nobody asked it to: no wire carries anything any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.thread.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Ends the pump.
    pub(crate) fn stop(&mut self) -> Result<(), LabError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let _ = nix::unistd::write(&self.stop, &[1]);
        let closed = |why: String| LabError::Closed { thread: "pump".to_owned(), why };
        match thread.join() {
            Ok(ended) => ended.map_err(|cause| closed(cause.to_string())),
            Err(_) => Err(closed("It panicked (a bug in scn)".to_owned())),
        }
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        let _ = self.stop();
        let taps = std::mem::take(&mut self.kept).into_values().filter_map(|kept| Arc::into_inner(kept.taps));
        packet::close_all(taps.flatten().collect());
    }
}

/// Opens the taps. Not promiscuous: a veth hands every frame to its taps anyway.
fn open(fabric: &Namespace, spans: &[Span]) -> io::Result<(BTreeMap<usize, Kept>, Vec<pump::Wire>)> {
    fabric.enter()?;
    let (mut kept, mut wires) = (BTreeMap::new(), Vec::with_capacity(spans.len()));
    for span in spans {
        let taps = Arc::new([packet::tap(span.outer[0], TAP_BUFFER_BYTES)?, packet::tap(span.outer[1], TAP_BUFFER_BYTES)?]);
        let counters = Arc::new(Counters::new());
        wires.push(pump::Wire { taps: Arc::clone(&taps), delay_ns: span.delay_ns, counters: Arc::clone(&counters) });
        kept.insert(span.link, Kept { taps, counters });
    }
    Ok((kept, wires))
}

/// Asks for the calling thread to go before ordinary ones, which only root may.
fn prefer() -> &'static str {
    // SAFETY: all zero bytes are a valid sched_param.
    let mut parameter = unsafe { std::mem::zeroed::<libc::sched_param>() };
    parameter.sched_priority = PRIORITY;
    // SAFETY: 0 is the calling thread; the parameter lives through the call.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const parameter) };
    if result == 0 { "real-time (SCHED_FIFO 10)" } else { "ordinary (no privilege for real-time)" }
}
