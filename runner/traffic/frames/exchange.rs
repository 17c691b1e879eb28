//! Memory that is shared with the kernel: what a socket of AF_XDP sends out of, and the rings by which each side tells the other. In: a socket, the
//! places of its rings. Out: entries put in and taken. Knows no frame, and sends nothing.

use std::io;
use std::marker::PhantomData;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// Memory that was mapped.
pub struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to the value alone, whichever thread has it.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Memory of its own, all zeros, that no child of this process has: the kernel holds its very pages, and a child would leave this process copies
    /// of them. The error is the kernel's.
    pub fn own(length: usize) -> io::Result<Mapping> {
        let mapping = Mapping::new(length, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE, (-1, 0))?;
        // SAFETY: the mapping is ours and has this length; children of this process only start other programs.
        let kept = unsafe { libc::madvise(mapping.start.as_ptr().cast(), length, libc::MADV_DONTFORK) };
        if kept == 0 { Ok(mapping) } else { Err(io::Error::last_os_error()) }
    }

    /// What a socket has at a place. The error is the kernel's.
    fn of(socket: &OwnedFd, place: u64, length: usize) -> io::Result<Mapping> {
        let place = libc::off_t::try_from(place).map_err(io::Error::other)?;
        Mapping::new(length, libc::MAP_SHARED | libc::MAP_POPULATE, (socket.as_raw_fd(), place))
    }

    fn new(length: usize, flags: libc::c_int, (descriptor, place): (libc::c_int, libc::off_t)) -> io::Result<Mapping> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at a place that the kernel chooses, of a descriptor of ours or of none.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, access, flags, descriptor, place) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("the kernel mapped nothing"))?;
        Ok(Mapping { start, length })
    }

    /// Where it begins, as the kernel is told.
    pub fn address(&self) -> u64 {
        self.start.as_ptr() as u64
    }

    /// Its length, bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    /// What it holds; only of memory of its own.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping has this length, lives as long as the value, and was zeroed by the kernel, which never writes memory that is only sent
        // out of.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    /// The same, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; the value is borrowed alone, and the kernel reads only while a call on its socket runs, which borrows it too.
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
pub struct Exchange<T> {
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
    /// Maps one of a socket's rings, whose number of entries is a power of two. The error is the kernel's.
    pub fn new(socket: &OwnedFd, places: &libc::xdp_ring_offset, entries: u32, at: u64) -> io::Result<Exchange<T>> {
        let place = |place: u64| usize::try_from(place).map_err(io::Error::other);
        let (put_at, taken_at, entries_at) = (place(places.producer)?, place(places.consumer)?, place(places.desc)?);
        let length = entries_at + entries as usize * size_of::<T>();
        let memory = Mapping::of(socket, at, length)?;
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
    pub fn put(&mut self, ahead: u32, entry: T) {
        // SAFETY: the entry lies in the mapping, which is as long as all of them, and is aligned; the kernel does not read it before it is published.
        unsafe { self.entry(self.own.wrapping_add(ahead)).write(entry) };
    }

    /// Lets the kernel have so many more.
    pub fn publish(&mut self, count: u32) {
        self.own = self.own.wrapping_add(count);
        self.counter(self.put_at).store(self.own, Ordering::Release);
    }

    /// Entries of which the kernel does not say that it has taken them.
    pub fn count_waiting(&self) -> u32 {
        self.own.wrapping_sub(self.counter(self.taken_at).load(Ordering::Acquire))
    }

    /// Takes all that the kernel has put in.
    pub fn take(&mut self, mut each: impl FnMut(T)) {
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
