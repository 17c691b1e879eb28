//! The short way of whole frames to an interface (AF_XDP in the kernel's copy mode): they are written into memory that the kernel knows, told by their
//! places in a ring, and taken by the interface one after the other without a queue, a tap or a hook on the way. In: a socket from the lab, frames
//! that are written into this memory. Out: how many the kernel took, and which one the interface refused. Opens nothing; knows no flow.
//!
//! ```text
//! free slots --write--> tells --sendto--> interface, which copies      slots come back by `returns` when their copies are freed
//! ```
//!
//! A slot is written again only after it came back, so that the frames under way are never more than there are slots.

use std::io;
use std::marker::PhantomData;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::batch::BATCH;

/// Frames that the memory holds. An ordinary user may keep 8 MiB in memory, all sockets together.
const SLOTS: usize = 256;
/// Bytes of a slot, of frames that fit and of longer ones; the kernel takes no others.
const SLOT: [usize; 2] = [2048, 4096];
/// Slots begin so far apart, beyond their size, that not all frames lie in the same lines of the processor's cache, bytes.
const SHIFT: usize = 64;
/// Entries of the ring by which frames are told: all of a batch.
const TOLD: u32 = BATCH as u32;
/// Entries of the ring of frames to receive, without which the kernel binds no socket.
const RECEIVED: u32 = 1;
/// The kernel is asked so often that takes no frame, or does not say that it did: then it may refuse each one by itself.
const TRIES: usize = BATCH + 16;
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
    /// The slots of the frames of this batch.
    batch: [u32; BATCH],
    count: usize,
    /// They stand in the ring.
    told: bool,
    /// The kernel has taken so many of them.
    taken: usize,
}

impl Express {
    /// Of a socket that nothing has been done with, for frames of up to so many bytes to the interface that `beside`, a packet socket, is bound to.
    /// The error is the kernel's, which may know no such sockets, allow no more memory, or have another one at the same interface.
    pub fn new(socket: OwnedFd, beside: BorrowedFd<'_>, longest: usize) -> io::Result<Express> {
        let too_long = || io::Error::from_raw_os_error(libc::EMSGSIZE);
        let slot = SLOT.into_iter().find(|slot| longest <= *slot).ok_or_else(too_long)?;
        let interface = interface(beside)?;
        if longest > interface.mtu + ETHERNET {
            // That way nobody would say so.
            return Err(too_long());
        }
        let memory = Mapping::new(SLOTS * slot, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE, None)?;
        let described =
            libc::xdp_umem_reg_v1 { addr: memory.start.as_ptr() as u64, len: memory.length as u64, chunk_size: slot as u32, headroom: 0 };
        set(&socket, libc::XDP_UMEM_REG, &described)?;
        set(&socket, libc::XDP_UMEM_FILL_RING, &RECEIVED)?;
        set(&socket, libc::XDP_UMEM_COMPLETION_RING, &(SLOTS as u32))?;
        set(&socket, libc::XDP_TX_RING, &TOLD)?;
        let places = places(&socket)?;
        let tells = Exchange::new(&socket, &places.tx, TOLD, libc::XDP_PGOFF_TX_RING as u64)?;
        let returns = Exchange::new(&socket, &places.cr, SLOTS as u32, libc::XDP_UMEM_PGOFF_COMPLETION_RING)?;
        bind(&socket, interface.index)?;
        let free = (0..SLOTS as u32).rev().collect();
        Ok(Express { socket, memory, slot, longest, tells, returns, free, batch: [0; BATCH], count: 0, told: false, taken: 0 })
    }

    /// Makes all slots ready.
    pub fn prepare(&mut self, prepare: impl Fn(&mut [u8])) {
        (0..SLOTS as u32).for_each(|slot| prepare(self.room(slot)));
    }

    /// Begins a batch; `false`: slots are still under way, and there is no room for one.
    pub fn begin(&mut self) -> bool {
        self.take_back();
        (self.count, self.told, self.taken) = (0, false, 0);
        if self.free.len() < BATCH {
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
        let used = if self.told { self.count } else { 0 };
        // The last one first, for the next batch to have them in the same order.
        self.free.extend(self.batch[used..].iter().rev());
        self.count = 0;
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
        if !self.told {
            self.tell(lengths);
        }
        let before = self.taken;
        for _ in 0..TRIES {
            // SAFETY: no bytes are handed over and no address; the kernel reads what the ring tells, which is memory of this value.
            let sent = unsafe { libc::sendto(self.socket.as_raw_fd(), std::ptr::null(), 0, libc::MSG_DONTWAIT, std::ptr::null(), 0) };
            let error = (sent < 0).then(|| io::Error::last_os_error().raw_os_error().unwrap_or(0));
            self.taken = self.count - (self.tells.count_waiting() as usize).min(self.count);
            let taken = self.taken - before;
            match error {
                // The last one that was taken is the one that the interface refused.
                Some(libc::EBUSY) if taken > 0 => return Handed::Refused(taken - 1),
                // A kernel before 6.17 counts what it took only when it has taken all: what its interface refused is then lost on the link.
                Some(libc::EBUSY) => {}
                None | Some(libc::EAGAIN | libc::ENOBUFS) if taken > 0 => return Handed::Sent(taken),
                None | Some(libc::EAGAIN | libc::ENOBUFS) => std::thread::yield_now(),
                _ => return Handed::Broken(taken),
            }
        }
        Handed::Broken(self.taken - before)
    }

    /// Puts the batch into the ring.
    fn tell(&mut self, lengths: &[usize]) {
        self.count = lengths.len().min(BATCH);
        for (at, length) in lengths.iter().enumerate().take(self.count) {
            let addr = self.place(self.batch[at]) as u64;
            self.tells.put(at as u32, libc::xdp_desc { addr, len: *length as u32, options: 0 });
        }
        self.tells.publish(self.count as u32);
        (self.told, self.taken) = (true, 0);
    }

    /// Takes the slots back whose frames are no concern of the kernel's any more.
    fn take_back(&mut self) {
        let (free, slot) = (&mut self.free, self.slot as u64);
        // A place is told as it was; where in its slot it lies is nobody's concern.
        self.returns.take(|place| free.push(u32::try_from(place / slot).unwrap_or(u32::MAX)));
        free.retain_mut(|slot| (*slot as usize) < SLOTS);
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

/// Memory that was mapped.
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    /// A new one: memory of its own, or what a descriptor has at a place.
    fn new(length: usize, flags: libc::c_int, of: Option<(&OwnedFd, u64)>) -> io::Result<Mapping> {
        let (descriptor, place) = of.map_or((-1, 0), |(of, place)| (of.as_raw_fd(), place));
        let place = libc::off_t::try_from(place).map_err(io::Error::other)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at a place that the kernel chooses, of a descriptor of ours or of none.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, access, flags, descriptor, place) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("the kernel mapped nothing"))?;
        Ok(Mapping { start, length })
    }

    /// What it holds; only of memory that the kernel does not write.
    fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping has this length, lives as long as the value, and was zeroed by the kernel, which in this mode of the socket never
        // writes it: it copies from it during `sendto`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    /// The same, to be written.
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; the value is borrowed alone, and the kernel reads only while `sendto` runs, which borrows it too.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this length and is not used any more.
        let unmapped = unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
        tracing::trace!(unmapped, "a mapping is gone");
    }
}

/// A ring that is shared with the kernel: one side puts entries in and counts them, the other takes them and counts too.
struct Exchange<T> {
    memory: Mapping,
    put_at: usize,
    taken_at: usize,
    entries_at: usize,
    entries: u32,
    /// What this side has counted.
    own: u32,
    of: PhantomData<T>,
}

impl<T: Copy> Exchange<T> {
    /// Maps one of a socket's rings.
    fn new(socket: &OwnedFd, places: &libc::xdp_ring_offset, entries: u32, at: u64) -> io::Result<Exchange<T>> {
        let place = |place: u64| usize::try_from(place).map_err(io::Error::other);
        let (put_at, taken_at, entries_at) = (place(places.producer)?, place(places.consumer)?, place(places.desc)?);
        let length = entries_at + entries as usize * size_of::<T>();
        let memory = Mapping::new(length, libc::MAP_SHARED | libc::MAP_POPULATE, Some((socket, at)))?;
        let inside = |place: usize, align: usize| place.is_multiple_of(align) && place + align <= length;
        if !inside(put_at, 4) || !inside(taken_at, 4) || !entries_at.is_multiple_of(align_of::<T>()) {
            return Err(io::Error::other("the kernel's ring is none"));
        }
        Ok(Exchange { memory, put_at, taken_at, entries_at, entries, own: 0, of: PhantomData })
    }

    /// A counter.
    fn counter(&self, at: usize) -> &AtomicU32 {
        // SAFETY: the place lies in the mapping and is aligned, as `new` has seen; both sides read and write it as one word only.
        unsafe { AtomicU32::from_ptr(self.memory.start.as_ptr().add(at).cast()) }
    }

    /// An entry, by a count that may go round.
    fn entry(&self, number: u32) -> *mut T {
        // Their number is a power of two, of which the count is taken.
        let at = self.entries_at + (number & (self.entries - 1)) as usize * size_of::<T>();
        self.memory.start.as_ptr().wrapping_add(at).cast()
    }

    /// Writes an entry, so many after those that were published.
    fn put(&mut self, ahead: u32, entry: T) {
        // SAFETY: the entry lies in the mapping, which is as long as all of them, and is aligned; the kernel does not read it before it is published.
        unsafe { self.entry(self.own.wrapping_add(ahead)).write(entry) };
    }

    /// Lets the kernel have so many more.
    fn publish(&mut self, count: u32) {
        self.own = self.own.wrapping_add(count);
        self.counter(self.put_at).store(self.own, Ordering::Release);
    }

    /// Entries that the kernel has not taken.
    fn count_waiting(&self) -> u32 {
        self.own.wrapping_sub(self.counter(self.taken_at).load(Ordering::Acquire))
    }

    /// Takes all that the kernel has put in.
    fn take(&mut self, mut each: impl FnMut(T)) {
        let put = self.counter(self.put_at).load(Ordering::Acquire);
        let count = put.wrapping_sub(self.own).min(self.entries);
        for ahead in 0..count {
            // SAFETY: the entry lies in the mapping and is aligned; the kernel wrote it before it counted it, and does not write it again before it is
            // counted as taken below.
            each(unsafe { self.entry(self.own.wrapping_add(ahead)).read() });
        }
        self.own = self.own.wrapping_add(count);
        self.counter(self.taken_at).store(self.own, Ordering::Release);
    }
}

/// An interface, as the kernel knows it.
struct Interface {
    index: u32,
    mtu: usize,
}

/// The one that a packet socket is bound to.
fn interface(socket: BorrowedFd<'_>) -> io::Result<Interface> {
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

/// Where the parts of a socket's rings lie.
fn places(socket: &OwnedFd) -> io::Result<libc::xdp_mmap_offsets> {
    // SAFETY: they are plain integers, for which all zeros are valid.
    let mut places = unsafe { std::mem::zeroed::<libc::xdp_mmap_offsets>() };
    let mut length = size_of::<libc::xdp_mmap_offsets>() as libc::socklen_t;
    // SAFETY: the pointers point at living values of ours, and the length is the first one's.
    checked(unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_XDP, libc::XDP_MMAP_OFFSETS, (&raw mut places).cast(), &raw mut length)
    })?;
    if length as usize != size_of::<libc::xdp_mmap_offsets>() {
        // So old a kernel tells them otherwise.
        return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
    }
    Ok(places)
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

fn checked(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
