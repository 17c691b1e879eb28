//! A ring that the kernel shares with a packet socket (TPACKET_V3): it writes frames into blocks with the instant of each, and hands a block over
//! when it is full or some milliseconds old, so that many frames cost one wake-up and none a call. In: a packet socket, a filter. Out: frames.
//! Opens nothing; knows no flow.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use super::filter::Program;

/// A block that is not full is handed over after so many ms.
const BLOCK_AGE_MS: u32 = 4;
/// Blocks: so many times their age may the reader be away before a slow flow's frames find no room. A flow that arrives at many interfaces has
/// them together.
const BLOCKS: usize = 256;
/// A ring has no fewer.
const FEWEST_BLOCKS: usize = 16;
/// Bytes that the kernel puts before each frame, and room for its rounding.
const BEFORE: usize = 128;
/// The smallest and largest block.
const SMALLEST: usize = 16 << 10;
const LARGEST: usize = 256 << 10;
/// From linux/if_packet.h: what the interface itself sends is not received.
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
const PACKET_VERSION: libc::c_int = 10;

/// A frame that was received.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// Its bytes, without the tag that the kernel has taken off.
    pub bytes: &'a [u8],
    /// When it came, ns of the wall clock.
    pub wall_ns: i64,
    /// Its length, bytes, however few of them were handed over.
    pub length: usize,
}

/// A packet socket with its ring.
pub struct Ring {
    socket: OwnedFd,
    memory: NonNull<u8>,
    block: usize,
    blocks: usize,
    next: usize,
    /// The kernel puts nothing more into it, and the block that it was filling is still to be read.
    closed: bool,
}

// SAFETY: the mapping belongs to the value alone, whichever thread has it.
unsafe impl Send for Ring {}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}

impl Ring {
    /// Makes a socket that is bound to an interface, but to no protocol yet, receive what passes the filter. `bytes_per_block`: what comes while
    /// a block is filled. `rings`: of the flow.
    pub fn new(socket: OwnedFd, filter: &mut Program, longest: usize, frames_per_second: u64, rings: usize) -> io::Result<Ring> {
        let blocks = (BLOCKS / rings.max(1)).max(FEWEST_BLOCKS);
        let per_frame = (longest + BEFORE) as u64;
        let filled = frames_per_second.saturating_mul(per_frame).saturating_mul(u64::from(BLOCK_AGE_MS)) / 1000;
        let least = (SMALLEST as u64).max(4 * per_frame);
        let block = usize::try_from(filled.clamp(least, (LARGEST as u64).max(least))).unwrap_or(LARGEST).next_power_of_two();
        attach(&socket, filter)?;
        set(&socket, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, &1i32)?;
        set(&socket, libc::SOL_PACKET, PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V3 as libc::c_int))?;
        let frame = u32::try_from(SMALLEST.min(block)).unwrap_or(u32::MAX);
        let wanted = libc::tpacket_req3 {
            tp_block_size: u32::try_from(block).unwrap_or(u32::MAX),
            tp_block_nr: blocks as u32,
            tp_frame_size: frame,
            tp_frame_nr: (block * blocks) as u32 / frame,
            tp_retire_blk_tov: BLOCK_AGE_MS,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        set(&socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &wanted)?;
        let (prot, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping of a descriptor of ours, at a place that the kernel chooses; its length is that of the ring that was just made.
        let memory = unsafe { libc::mmap(std::ptr::null_mut(), block * blocks, prot, flags, socket.as_raw_fd(), 0) };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or_else(|| io::Error::other("the kernel mapped nothing"))?;
        let ring = Ring { socket, memory, block, blocks, next: 0, closed: false };
        ring.begin()?;
        Ok(ring)
    }

    /// What it takes of the kernel's memory, bytes.
    pub fn bytes(&self) -> u64 {
        (self.block * self.blocks) as u64
    }

    /// Begins to receive: everything that comes to the interface, for whomever it is.
    fn begin(&self) -> io::Result<()> {
        let mut name = self.name()?;
        let everything = libc::packet_mreq {
            mr_ifindex: name.sll_ifindex,
            mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        set(&self.socket, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &everything)?;
        name.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        self.bind(&name)
    }

    /// Receives nothing more. What came and was not handed over yet stands in the one block that was being filled, which then is read too.
    pub fn close(&mut self) -> io::Result<()> {
        let mut name = self.name()?;
        name.sll_protocol = 0;
        match self.bind(&name) {
            // Of an interface that is gone nothing comes any more.
            Err(error) if error.raw_os_error() != Some(libc::ENODEV) => return Err(error),
            _ => self.closed = true,
        }
        Ok(())
    }

    /// What it is bound to.
    fn name(&self) -> io::Result<libc::sockaddr_ll> {
        // SAFETY: a `sockaddr_ll` is plain integers, for which all zeros are valid.
        let mut name = unsafe { std::mem::zeroed::<libc::sockaddr_ll>() };
        let mut length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the pointers point at living values of ours, and the length is the first one's.
        let result = unsafe { libc::getsockname(self.as_raw_fd(), (&raw mut name).cast(), &raw mut length) };
        if result == 0 { Ok(name) } else { Err(io::Error::last_os_error()) }
    }

    fn bind(&self, name: &libc::sockaddr_ll) -> io::Result<()> {
        let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the pointer points at a living address of the length that is given.
        let bound = unsafe { libc::bind(self.as_raw_fd(), std::ptr::from_ref(name).cast(), length) };
        if bound == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Hands the frames of the next block to `take`; `false`: the kernel has handed none over.
    pub fn read(&mut self, mut take: impl FnMut(Received<'_>)) -> bool {
        // SAFETY: the ring has `blocks` blocks of this size, and `next` is below that.
        let block = unsafe { self.memory.add(self.next * self.block) };
        // SAFETY: a block begins with its description, which is aligned as the block is; the kernel and this program write its status as one
        // word, which is looked at here as such.
        let status = unsafe {
            let description = block.cast::<libc::tpacket_block_desc>().as_ptr();
            AtomicU32::from_ptr(&raw mut (*description).hdr.bh1.block_status)
        };
        if status.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 && !std::mem::take(&mut self.closed) {
            return false;
        }
        // SAFETY: the block is this program's until its status says otherwise, or the kernel puts nothing more into it. What it held is no part of
        // it any more when it is given back.
        let (count, first) = unsafe {
            let description = block.cast::<libc::tpacket_block_desc>().as_mut();
            (std::mem::take(&mut description.hdr.bh1.num_pkts), description.hdr.bh1.offset_to_first_pkt)
        };
        let mut at = first as usize;
        for _ in 0..count {
            if at + size_of::<libc::tpacket3_hdr>() > self.block {
                break;
            }
            // SAFETY: a header of the kernel's stands there, inside of the block as was just seen, aligned as the kernel aligns them.
            let header = unsafe { block.add(at).cast::<libc::tpacket3_hdr>().as_ref() };
            let (from, length) = (at + usize::from(header.tp_mac), header.tp_snaplen as usize);
            if from + length > self.block {
                break;
            }
            // SAFETY: the frame lies in the block, as was just seen, which nobody writes until its status is given back below.
            let bytes = unsafe { std::slice::from_raw_parts(block.add(from).as_ptr(), length) };
            let wall_ns = i64::from(header.tp_sec) * 1_000_000_000 + i64::from(header.tp_nsec);
            take(Received { bytes, wall_ns, length: header.tp_len as usize });
            at += header.tp_next_offset as usize;
        }
        fence(Ordering::SeqCst);
        status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.next = (self.next + 1) % self.blocks;
        true
    }

    /// Frames of the flow that found no room since this was last asked.
    pub fn missed(&self) -> u64 {
        // SAFETY: it is plain integers, for which all zeros are valid.
        let mut told = unsafe { std::mem::zeroed::<libc::tpacket_stats_v3>() };
        let mut length = size_of::<libc::tpacket_stats_v3>() as libc::socklen_t;
        // SAFETY: both pointers point at living values of ours, and the length is the first one's.
        let result = unsafe {
            libc::getsockopt(self.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS, (&raw mut told).cast(), &raw mut length)
        };
        if result == 0 { u64::from(told.tp_drops) } else { 0 }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this length and is not used any more.
        let unmapped = unsafe { libc::munmap(self.memory.as_ptr().cast(), self.block * self.blocks) };
        tracing::trace!(unmapped, "a ring is gone");
    }
}

fn attach(socket: &OwnedFd, filter: &mut Program) -> io::Result<()> {
    let steps = libc::c_ushort::try_from(filter.0.len()).map_err(|_| io::Error::other("the filter of the flow is too long"))?;
    let program = libc::sock_fprog { len: steps, filter: filter.0.as_mut_ptr() };
    // The pointer inside points at living steps, of which there are as many as it says; the kernel copies them.
    set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

/// Sets an option of a socket to a plain value.
fn set<T>(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the pointer points at a living value, and the length is its size; the kernel reads no more and keeps nothing of it.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, std::ptr::from_ref(value).cast(), size_of::<T>() as libc::socklen_t) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
