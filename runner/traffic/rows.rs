//! Lists of rows that may grow to gigabytes while traffic runs: their memory comes in large pages, or faults of small ones take a third of the
//! time of what is dense. In: rows. Out: the same list. Bounds nothing.

/// Lists of fewer bytes stay as they are: a large page that is hardly used would be waste.
const LARGE: usize = 8 << 20;
/// Where the kernel wants an advised range to begin, bytes.
const PAGE: usize = 4096;

/// Appends a row.
pub fn push<T>(rows: &mut Vec<T>, row: T) {
    if rows.len() == rows.capacity() {
        grow(rows);
    }
    rows.push(row);
}

/// Doubles the room of a list.
#[cold]
fn grow<T>(rows: &mut Vec<T>) {
    rows.reserve(rows.len().max(4));
    let (from, bytes) = (rows.as_mut_ptr().addr(), rows.capacity() * size_of::<T>());
    if bytes < LARGE {
        return;
    }
    let first = from.next_multiple_of(PAGE);
    let length = (from + bytes).saturating_sub(first) / PAGE * PAGE;
    let start = rows.as_mut_ptr().cast::<libc::c_void>().wrapping_byte_add(first - from);
    // SAFETY: the whole range is this list's own memory, and the advice changes none of its content.
    let advised = unsafe { libc::madvise(start, length, libc::MADV_HUGEPAGE) };
    // A kernel without large pages goes on with small ones.
    tracing::trace!(bytes, advised, "large pages");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stay_what_they_are_while_their_room_grows() {
        let mut rows = Vec::new();
        let count = 4 * LARGE as u64 / 8 + 1;
        (0..count).for_each(|row| push(&mut rows, row));
        assert!(rows.capacity() * size_of::<u64>() > 4 * LARGE);
        assert!((0..count).eq(rows.iter().copied()));
    }
}
