//! The short way of whole frames to an interface (AF_XDP in the kernel's copy mode): they are written into memory that the kernel knows, told by their
//! places in a ring, and taken by the interface one after the other without a queue, a tap or a hook on the way. In: a socket from the lab, frames
//! that are written into this memory. Out: how many the interface took, and which one it refused. Opens nothing; knows no flow.
//!
//! ```text
//! free slots --write--> tells --sendto--> interface, which copies      slots come back by `returns` when their copies are freed
//! ```
//!
//! A slot is written again only after it came back, so that the frames under way are never more than there are slots.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::batch::BATCH;
use super::exchange::{Exchange, Mapping};

/// Frames that the memory holds. An ordinary user may keep 8 MiB in memory, all sockets together.
const SLOTS: usize = 256;
/// Bytes of a slot, of frames that fit and of longer ones; the kernel takes no others.
const SLOT: [usize; 2] = [2048, 4096];
/// Slots begin so far apart, beyond their size, that not all frames lie in the same lines of the processor's cache, bytes.
const SHIFT: usize = 64;
/// Entries of the ring by which frames are told. Those of a batch that the kernel has taken it may count only when it looks for the next one.
const TOLD: u32 = 2 * BATCH as u32;
/// Entries of the ring of frames to receive, without which the kernel binds no socket.
const RECEIVED: u32 = 1;
/// From linux/if_xdp.h: frames that are taken with one call. Kernels that have it, 6.17 and later, count before they return from a call that goes wrong
/// what they have taken; older ones do not, and which frame was refused nobody could tell.
const XDP_MAX_TX_SKB_BUDGET: libc::c_int = 9;
/// The kernel is asked so often that takes no frame.
const TRIES: usize = 16;
/// Another socket that was at the same interface is gone only some time after it was closed: it is waited for so often, so long each time.
const BIND_TRIES: u32 = 50;
const BIND_AGAIN: Duration = Duration::from_millis(5);
/// Bytes of the header of Ethernet, which an interface takes beyond its MTU.
const ETHERNET: usize = 14;

/// What became of frames that were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// So many are sent.
    Sent(usize),
    /// So many are sent; the one that follows the interface has refused, and those behind it wait.
    Refused(usize),
    /// So many are sent, and none of the rest will be: the value is of no use any more.
    Broken(usize),
}

/// What is known after a call, all of it places in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// The first one that was not taken before the call.
    before: usize,
    /// Behind the last one that was told.
    told: usize,
    /// Behind the last one of which the ring's counter says that it was taken.
    counted: usize,
    /// Behind the last one that came back.
    returned: usize,
}

impl Seen {
    /// What became of the frames, by the call's answer; `None`: nothing yet, and it is to be called again.
    fn after(self, error: Option<i32>) -> Option<Handed> {
        // Each of these is a frame that was taken. Neither counter is behind where the kernel is known to have gone.
        let taken = self.counted.max(self.returned).clamp(self.before, self.told) - self.before;
        match error {
            // The call ends with the refused frame, whose copy is freed before it returns. Where that is its first one the counter stands still.
            Some(libc::EBUSY) => Some(Handed::Refused(taken.max(1) - 1)),
            None | Some(libc::EAGAIN | libc::ENOBUFS | libc::EINTR) => (taken > 0).then_some(Handed::Sent(taken)),
            Some(_) => Some(Handed::Broken(taken)),
        }
    }
}

/// An interface, as the kernel knows it.
#[derive(Debug, Clone, Copy)]
pub struct Interface {
    index: u32,
    mtu: usize,
}

/// A socket with its memory and rings.
pub struct Express {
    /// First, for the kernel reads the memory as long as the socket is open.
    socket: OwnedFd,
    memory: Mapping,
    slot: usize,
    /// The longest frame, bytes.
    longest: usize,
    tells: Exchange<libc::xdp_desc>,
    returns: Exchange<u64>,
    free: Vec<u32>,
    /// A batch begins only where no fewer are free: what is under way then finds room in the socket.
    least_free: usize,
    /// The slots of the frames of this batch.
    batch: [u32; BATCH],
    /// So many of them stand in the ring.
    told: usize,
    /// So many the kernel has taken, refused ones among them.
    taken: usize,
}

impl Express {
    /// Of a socket that nothing has been done with, for frames of up to so many bytes to an interface; all its slots are made ready by `prepare`. Takes
    /// some ms, and up to a quarter of a second where another socket is only just gone from the interface, unless it is `unwanted` meanwhile. The error
    /// is the kernel's, which may know no such sockets, allow no more memory, or have another one at the same interface.
    pub fn new(
        socket: OwnedFd,
        interface: Interface,
        longest: usize,
        prepare: impl Fn(&mut [u8]),
        unwanted: impl Fn() -> bool,
    ) -> io::Result<Express> {
        let too_long = || io::Error::from_raw_os_error(libc::EMSGSIZE);
        let slot = SLOT.into_iter().find(|slot| longest <= *slot).ok_or_else(too_long)?;
        if longest > interface.mtu + ETHERNET {
            // That way nobody would say so.
            return Err(too_long());
        }
        let least_free = least_free(room(&socket)?, slot).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOBUFS))?;
        let memory = Mapping::own(SLOTS * slot)?;
        let described = libc::xdp_umem_reg_v1 { addr: memory.address(), len: memory.length() as u64, chunk_size: slot as u32, headroom: 0 };
        set(&socket, libc::XDP_UMEM_REG, &described)?;
        set(&socket, libc::XDP_UMEM_FILL_RING, &RECEIVED)?;
        set(&socket, libc::XDP_UMEM_COMPLETION_RING, &(SLOTS as u32))?;
        set(&socket, libc::XDP_TX_RING, &TOLD)?;
        set(&socket, XDP_MAX_TX_SKB_BUDGET, &(BATCH as u32))?;
        let places = places(&socket)?;
        let tells = Exchange::new(&socket, &places.tx, TOLD, libc::XDP_PGOFF_TX_RING as u64)?;
        let returns = Exchange::new(&socket, &places.cr, SLOTS as u32, libc::XDP_UMEM_PGOFF_COMPLETION_RING)?;
        let free = (0..SLOTS as u32).rev().collect();
        let mut express = Express { socket, memory, slot, longest, tells, returns, free, least_free, batch: [0; BATCH], told: 0, taken: 0 };
        (0..SLOTS as u32).for_each(|slot| prepare(express.room(slot)));
        for _ in 1..BIND_TRIES {
            match bind(&express.socket, interface.index) {
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) && !unwanted() => std::thread::sleep(BIND_AGAIN),
                bound => return bound.map(|()| express),
            }
        }
        bind(&express.socket, interface.index).map(|()| express)
    }

    /// Begins a batch; `false`: slots are still under way, and there is no room for one.
    pub fn begin(&mut self) -> bool {
        (self.told, self.taken) = (0, 0);
        self.take_back();
        if self.free.len() < self.least_free {
            return false;
        }
        for slot in &mut self.batch {
            // There are as many, as was just seen.
            *slot = self.free.pop().unwrap_or(0);
        }
        true
    }

    /// Ends it: slots that were not used are free again.
    pub fn end(&mut self) {
        // The last one first, for the next batch to have them in the same order.
        self.free.extend(self.batch[self.told..].iter().rev());
        self.told = BATCH;
    }

    /// Room for a frame of the batch.
    pub fn frame_mut(&mut self, at: usize) -> &mut [u8] {
        self.room(self.batch[at])
    }

    /// A frame of the batch.
    pub fn frame(&self, at: usize, length: usize) -> &[u8] {
        let from = self.place(self.batch[at]);
        &self.memory.bytes()[from..from + length]
    }

    /// Hands over the frames of the batch that wait, which have these lengths.
    pub fn send(&mut self, lengths: &[usize]) -> Handed {
        if self.told == 0 {
            self.tell(lengths);
        }
        let (before, told) = (self.taken, self.told);
        let mut handed = None;
        for _ in 0..TRIES {
            // SAFETY: no bytes are handed over and no address; the kernel reads what the ring tells, which is memory of this value.
            let sent = unsafe { libc::sendto(self.socket.as_raw_fd(), std::ptr::null(), 0, libc::MSG_DONTWAIT, std::ptr::null(), 0) };
            let error = (sent < 0).then(|| io::Error::last_os_error().raw_os_error().unwrap_or(0));
            let counted = told.saturating_sub(self.tells.count_waiting() as usize);
            // All are sent, almost always: what came back says nothing more then.
            let returned = if error.is_some() { self.take_back() } else { 0 };
            handed = Seen { before, told, counted, returned }.after(error);
            if handed.is_some() {
                break;
            }
            std::thread::yield_now();
        }
        // It does not come to itself.
        let handed = handed.unwrap_or(Handed::Broken(0));
        self.taken = before
            + match handed {
                Handed::Sent(sent) | Handed::Broken(sent) => sent,
                Handed::Refused(sent) => sent + 1,
            };
        handed
    }

    /// Puts the batch into the ring.
    fn tell(&mut self, lengths: &[usize]) {
        self.told = lengths.len().min(BATCH);
        for (at, length) in lengths.iter().enumerate().take(self.told) {
            let addr = self.place(self.batch[at]) as u64;
            self.tells.put(at as u32, libc::xdp_desc { addr, len: *length as u32, options: 0 });
        }
        self.tells.publish(self.told as u32);
    }

    /// Takes the slots back whose frames are no concern of the kernel's any more. Out: the place in the batch behind the last one of them.
    fn take_back(&mut self) -> usize {
        let before = self.free.len();
        let (free, slot) = (&mut self.free, self.slot as u64);
        // A place is told as it was; where in its slot it lies is nobody's concern.
        self.returns.take(|place| free.extend(u32::try_from(place / slot).ok().filter(|slot| (*slot as usize) < SLOTS)));
        let place = |slot: &u32| self.batch[..self.told].iter().position(|told| told == slot);
        self.free[before..].iter().filter_map(place).max().map_or(0, |last| last + 1)
    }

    /// Where the frame of a slot begins.
    fn place(&self, slot: u32) -> usize {
        let spare = (self.slot - self.longest) / SHIFT + 1;
        slot as usize * self.slot + slot as usize % spare * SHIFT
    }

    /// The room of a slot.
    fn room(&mut self, slot: u32) -> &mut [u8] {
        let (from, longest) = (self.place(slot), self.longest);
        &mut self.memory.bytes_mut()[from..from + longest]
    }
}

/// How many slots must be free for a batch to begin, where a socket has so much room for frames under way, bytes, each of which takes more than twice
/// its slot at most. `None`: not even a batch finds room.
fn least_free(room: usize, slot: usize) -> Option<usize> {
    let most = (room / (2 * slot + 512)).min(SLOTS);
    (most >= BATCH).then(|| SLOTS - most + BATCH)
}

impl Interface {
    /// The one that a packet socket is bound to. The error is the kernel's.
    pub fn of(socket: BorrowedFd<'_>) -> io::Result<Interface> {
        // SAFETY: a `sockaddr_ll` is plain integers, for which all zeros are valid.
        let mut address = unsafe { std::mem::zeroed::<libc::sockaddr_ll>() };
        let mut length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the pointers point at living values of ours, and the length is the first one's.
        checked(unsafe { libc::getsockname(socket.as_raw_fd(), (&raw mut address).cast(), &raw mut length) })?;
        // SAFETY: an `ifreq` is plain integers and a union of such, for which all zeros are valid.
        let mut request = unsafe { std::mem::zeroed::<libc::ifreq>() };
        request.ifr_ifru.ifru_ifindex = address.sll_ifindex;
        // SAFETY: both calls read and write the living request alone: the first its name, the second its number.
        checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFNAME as _, &raw mut request) })?;
        // SAFETY: as above.
        checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFMTU as _, &raw mut request) })?;
        // SAFETY: the call that went well has written this part of the union.
        let mtu = unsafe { request.ifr_ifru.ifru_mtu };
        let index = u32::try_from(address.sll_ifindex).map_err(io::Error::other)?;
        Ok(Interface { index, mtu: usize::try_from(mtu).map_err(io::Error::other)? })
    }
}

/// Where the parts of a socket's rings lie.
fn places(socket: &OwnedFd) -> io::Result<libc::xdp_mmap_offsets> {
    // SAFETY: they are plain integers, for which all zeros are valid.
    let places = unsafe { std::mem::zeroed::<libc::xdp_mmap_offsets>() };
    get(socket, libc::SOL_XDP, libc::XDP_MMAP_OFFSETS, places)
}

/// Room for what a socket sends and is still under way, bytes.
fn room(socket: &OwnedFd) -> io::Result<usize> {
    let bytes = get(socket, libc::SOL_SOCKET, libc::SO_SNDBUF, 0 as libc::c_int)?;
    usize::try_from(bytes).map_err(io::Error::other)
}

/// Binds a socket to the first queue of an interface, to whose driver nothing is changed.
fn bind(socket: &OwnedFd, index: u32) -> io::Result<()> {
    let address = libc::sockaddr_xdp {
        sxdp_family: libc::AF_XDP as libc::__u16,
        sxdp_flags: libc::XDP_COPY,
        sxdp_ifindex: index,
        sxdp_queue_id: 0,
        sxdp_shared_umem_fd: 0,
    };
    let length = size_of::<libc::sockaddr_xdp>() as libc::socklen_t;
    // SAFETY: the pointer points at a living address of the length that is given.
    checked(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })
}

/// Sets an option of a socket to a plain value.
fn set<T>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer points at a living value, and the length is its size. The kernel keeps nothing of it; of memory that is registered it keeps
    // the pages, as long as it needs them.
    checked(unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_XDP, option, std::ptr::from_ref(value).cast(), length) })
}

/// An option of a socket that is plain integers, which the kernel writes whole into `value`.
fn get<T: Copy>(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, mut value: T) -> io::Result<T> {
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointers point at living values of ours, and the length is the first one's.
    checked(unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, (&raw mut value).cast(), &raw mut length) })?;
    // So old a kernel tells it otherwise.
    if length as usize == size_of::<T>() { Ok(value) } else { Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)) }
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::{BATCH, Handed, SLOTS, Seen, least_free};

    /// After a call that ends so, of 64 frames of which the first ten were taken before it.
    fn after(counted: usize, returned: usize, error: Option<i32>) -> Option<Handed> {
        Seen { before: 10, told: 64, counted, returned }.after(error)
    }

    #[test]
    fn what_is_taken_is_sent() {
        assert_eq!(after(64, 0, None), Some(Handed::Sent(54)));
        assert_eq!(after(30, 0, Some(libc::EAGAIN)), Some(Handed::Sent(20)), "the rest finds no room at this moment");
        assert_eq!(after(30, 0, Some(libc::ENOBUFS)), Some(Handed::Sent(20)));
        assert_eq!(after(10, 10, Some(libc::EAGAIN)), None, "none does: it is called again");
        assert_eq!(after(10, 7, Some(libc::EAGAIN)), None, "what came back was taken before");
        assert_eq!(after(0, 0, None), None);
    }

    #[test]
    fn the_last_one_that_was_taken_is_the_refused_one() {
        let refused = |counted, returned| after(counted, returned, Some(libc::EBUSY));
        assert_eq!(refused(31, 31), Some(Handed::Refused(20)));
        assert_eq!(refused(31, 15), Some(Handed::Refused(20)), "whatever is still under way");
        assert_eq!(refused(10, 31), Some(Handed::Refused(20)), "it came back and is not counted");
        assert_eq!(refused(64, 64), Some(Handed::Refused(53)), "the last one of the batch");
    }

    #[test]
    fn a_refused_first_frame_of_a_call_is_counted_by_nobody() {
        let refused = |counted, returned| after(counted, returned, Some(libc::EBUSY));
        assert_eq!(refused(10, 11), Some(Handed::Refused(0)));
        assert_eq!(refused(10, 0), Some(Handed::Refused(0)));
        assert_eq!(refused(9, 0), Some(Handed::Refused(0)), "nor was the one before, which was refused too");
    }

    #[test]
    fn a_way_that_breaks_off_tells_what_was_taken() {
        assert_eq!(after(10, 0, Some(libc::ENETDOWN)), Some(Handed::Broken(0)));
        assert_eq!(after(9, 0, Some(libc::ENXIO)), Some(Handed::Broken(0)));
        assert_eq!(after(31, 0, Some(libc::ENOMEM)), Some(Handed::Broken(21)));
        assert_eq!(after(10, 31, Some(libc::ENETDOWN)), Some(Handed::Broken(21)));
    }

    #[test]
    fn no_more_is_under_way_than_the_socket_has_room_for() {
        assert_eq!(least_free(8 << 20, 2048), Some(BATCH), "all slots, for root");
        let user = least_free(425_984, 2048).expect("a batch finds room");
        assert_eq!(SLOTS + BATCH - user, 92);
        assert!(least_free(425_984, 4096).is_none());
    }
}
