//! A capture on disk, within its bound. In: blocks of pcapng. Out: a file that can be read up to its last whole block at any moment, and what
//! went into it. Never fails: what stood in the way is told at the end, and the frames that did not go in are counted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Blocks are gathered up to so many bytes when they come faster than they are written.
const GATHERED_BYTES: usize = 256 << 10;

/// What is done when there is more than the bound allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// The first frames stay, later ones are left out.
    First,
    /// The last frames stay, the oldest are forgotten.
    Last,
}

/// How large a file may become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// Bytes.
    pub(crate) bytes: u64,
    pub(crate) keeps: Keeps,
}

/// What a file came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Written {
    /// Frames in it.
    pub(crate) packets: u64,
    /// Its size.
    pub(crate) bytes: u64,
    /// Frames that came and do not stand in it: beyond the bound, or because of the trouble.
    pub(crate) left_out: u64,
    /// It was cut shorter than its own bound, because all files together had reached theirs.
    pub(crate) shortened: bool,
    /// Why it is not what it should be.
    pub(crate) trouble: Option<String>,
}

/// A part of a capture that is whole.
struct Earlier {
    path: PathBuf,
    packets: u64,
    bytes: u64,
}

/// A capture that is being written.
pub(crate) struct CaptureFile {
    path: PathBuf,
    bound: Bound,
    /// How every part begins.
    header: Vec<u8>,
    /// `None`: something stood in the way.
    file: Option<File>,
    gathered: Vec<u8>,
    gathered_packets: u64,
    /// Bytes and frames of the part that is being written, without what is gathered.
    bytes: u64,
    packets: u64,
    earlier: Option<Earlier>,
    left_out: u64,
    /// It takes no more because all files together have reached their bound.
    stopped: bool,
    shortened: bool,
    trouble: Option<String>,
}

impl CaptureFile {
    /// Makes the file and its folders.
    pub(crate) fn create(path: PathBuf, header: Vec<u8>, bound: Bound) -> Self {
        let mut file = CaptureFile {
            path,
            bound,
            header,
            file: None,
            gathered: Vec::new(),
            gathered_packets: 0,
            bytes: 0,
            packets: 0,
            earlier: None,
            left_out: 0,
            stopped: false,
            shortened: false,
            trouble: None,
        };
        let made = file.path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| file.begin());
        file.note(made);
        file
    }

    /// Begins a part.
    fn begin(&mut self) -> io::Result<()> {
        (self.bytes, self.packets) = (0, 0);
        let mut made = File::create(&self.path)?;
        made.write_all(&self.header)?;
        self.bytes = self.header.len() as u64;
        self.file = Some(made);
        Ok(())
    }

    /// Whether something waits to be written.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.gathered.is_empty()
    }

    /// Takes the block of a frame.
    pub(crate) fn put(&mut self, block: &[u8]) {
        if self.file.is_none() {
            self.left_out += 1;
            return;
        }
        let most = if self.bound.keeps == Keeps::Last { self.bound.bytes / 2 } else { self.bound.bytes };
        if self.bytes + (self.gathered.len() + block.len()) as u64 > most {
            match self.bound.keeps {
                Keeps::First => {
                    self.shortened |= self.stopped;
                    self.left_out += 1;
                    return;
                }
                Keeps::Last => self.turn(),
            }
        }
        self.gathered.extend_from_slice(block);
        self.gathered_packets += 1;
        if self.gathered.len() >= GATHERED_BYTES {
            self.flush();
        }
    }

    /// Writes what is gathered. Where that fails the file ends with its last whole block.
    pub(crate) fn flush(&mut self) {
        let (gathered, packets) = (std::mem::take(&mut self.gathered), std::mem::take(&mut self.gathered_packets));
        let Some(file) = &mut self.file else {
            self.left_out += packets;
            return;
        };
        let written = file.write_all(&gathered);
        if written.is_ok() {
            self.bytes += gathered.len() as u64;
            self.packets += packets;
            // The room is used again.
            self.gathered = gathered;
            self.gathered.clear();
            return;
        }
        self.left_out += packets;
        // The first cause is the one that tells.
        let _ = file.set_len(self.bytes);
        self.note(written);
    }

    /// What it takes of the disk now, with what is gathered, bytes.
    pub(crate) fn size(&self) -> u64 {
        self.bytes + self.gathered.len() as u64 + self.earlier.as_ref().map_or(0, |earlier| earlier.bytes)
    }

    /// What it can give back, bytes: its earlier part, or all of it; of a file whose first frames stay nothing.
    pub(crate) fn spare(&self) -> u64 {
        match (&self.earlier, self.bound.keeps, &self.file) {
            (Some(earlier), ..) => earlier.bytes,
            (None, Keeps::Last, Some(_)) if self.packets + self.gathered_packets > 0 => self.size(),
            _ => 0,
        }
    }

    /// Gives that back: the frames in it are forgotten.
    pub(crate) fn shorten(&mut self) {
        self.shortened = true;
        if self.earlier.is_none() {
            self.turn();
        }
        if let Some(earlier) = self.earlier.take() {
            // What cannot be removed is told by the place that is missing in the end.
            let _ = fs::remove_file(&earlier.path);
            self.left_out += earlier.packets;
        }
    }

    /// Takes no more frames.
    pub(crate) fn stop(&mut self) {
        if self.bound.keeps == Keeps::First && self.bound.bytes > self.size() {
            (self.stopped, self.bound.bytes) = (true, self.size());
        }
    }

    /// The part becomes the earlier one, whose predecessor is forgotten.
    fn turn(&mut self) {
        self.flush();
        if self.file.is_none() {
            return;
        }
        let earlier = self.path.with_extension("earlier.pcapng");
        let turned = fs::rename(&self.path, &earlier).and_then(|()| {
            let gone = self.earlier.replace(Earlier { path: earlier, packets: self.packets, bytes: self.bytes });
            self.left_out += gone.map_or(0, |gone| gone.packets);
            self.begin()
        });
        self.note(turned);
    }

    /// Notes what stands in the way; from then on nothing is written.
    fn note(&mut self, result: io::Result<()>) {
        if let Err(cause) = result {
            self.trouble.get_or_insert_with(|| words(&self.path, &cause));
            self.file = None;
        }
    }

    /// Puts the parts together and the statistics behind them.
    pub(crate) fn finish(mut self, statistics: &[u8]) -> Written {
        self.flush();
        if let Some(earlier) = self.earlier.take() {
            let joined = self.join(&earlier);
            if joined.is_ok() {
                self.packets += earlier.packets;
            } else {
                // The last frames are those that stay. The cause of the failure tells.
                let _ = fs::remove_file(&earlier.path);
                self.left_out += earlier.packets;
            }
            self.note(joined);
        }
        if let Some(file) = &mut self.file {
            let ended = file.seek(SeekFrom::End(0)).and_then(|length| {
                file.write_all(statistics).inspect_err(|_| {
                    // It ends with its last whole block; the first cause is the one that tells.
                    let _ = file.set_len(length);
                })
            });
            self.note(ended);
        }
        let bytes = fs::metadata(&self.path).map_or(0, |facts| facts.len());
        Written { packets: self.packets, bytes, left_out: self.left_out, shortened: self.shortened, trouble: self.trouble }
    }

    /// Puts the later part behind the earlier one. A later one without frames may not even be there.
    fn join(&mut self, earlier: &Earlier) -> io::Result<()> {
        let mut whole = OpenOptions::new().append(true).open(&earlier.path)?;
        if self.packets > 0 {
            let mut later = File::open(&self.path)?;
            later.seek(SeekFrom::Start(self.header.len() as u64))?;
            io::copy(&mut later, &mut whole)?;
        }
        fs::rename(&earlier.path, &self.path)?;
        self.file = Some(whole);
        Ok(())
    }
}

/// What stands in the way, and what to do.
fn words(path: &Path, cause: &io::Error) -> String {
    let advice = match cause.kind() {
        io::ErrorKind::StorageFull => "free some space, or choose another place with --out",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "choose a place that can be written with --out",
        _ => "choose another place with --out",
    };
    format!("{} could not be written: {cause}; {advice}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"HEAD";

    fn bound(keeps: Keeps) -> Bound {
        Bound { bytes: 44, keeps }
    }

    /// Puts ten blocks of four bytes, `000\n` to `999\n`, and more.
    fn filled(path: &Path, keeps: Keeps, count: u32) -> Written {
        let mut file = CaptureFile::create(path.to_owned(), HEADER.to_vec(), bound(keeps));
        for number in 0..count {
            file.put(format!("{number:03}\n").as_bytes());
        }
        file.finish(b"END")
    }

    #[test]
    fn what_fits_is_there_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/c.pcapng");
        let written = filled(&path, Keeps::First, 10);
        assert_eq!(written, Written { packets: 10, bytes: 4 + 40 + 3, ..Written::default() });
        assert!(fs::read_to_string(&path).unwrap().starts_with("HEAD000\n001\n"));
    }

    #[test]
    fn the_first_or_the_last_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.pcapng");
        let first = filled(&path, Keeps::First, 25);
        assert_eq!((first.packets, first.left_out), (10, 15));
        assert!(fs::read_to_string(&path).unwrap().ends_with("009\nEND"));
        let last = filled(&path, Keeps::Last, 25);
        // Parts of four.
        assert_eq!((last.packets, last.left_out, last.trouble), (5, 20, None));
        assert_eq!(fs::read_to_string(&path).unwrap(), "HEAD020\n021\n022\n023\n024\nEND");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left over");
        let few = filled(&path, Keeps::Last, 3);
        assert_eq!((few.packets, few.left_out), (3, 0));
        assert_eq!(fs::read_to_string(&path).unwrap(), "HEAD000\n001\n002\nEND");
    }

    #[test]
    fn only_one_that_lost_frames_is_shortened() {
        let folder = tempfile::tempdir().unwrap();
        let stopped = |after: u32| {
            let path = folder.path().join("c.pcapng");
            let mut file = CaptureFile::create(path, HEADER.to_vec(), bound(Keeps::First));
            file.put(b"000\n");
            file.stop();
            (0..after).for_each(|_| file.put(b"001\n"));
            let written = file.finish(b"END");
            (written.packets, written.left_out, written.shortened)
        };
        assert_eq!(stopped(0), (1, 0, false));
        assert_eq!(stopped(2), (1, 2, true));
    }

    #[test]
    fn without_a_later_part_the_earlier_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.pcapng");
        let mut file = CaptureFile::create(path.clone(), HEADER.to_vec(), bound(Keeps::Last));
        (0..6).for_each(|number| file.put(format!("{number:03}\n").as_bytes()));
        // The part of 004 and 005 becomes the earlier one, and nothing can be made in its place.
        file.flush();
        file.left_out += 4;
        let earlier = file.earlier.as_ref().unwrap().path.clone();
        fs::rename(&path, &earlier).unwrap();
        file.earlier = Some(Earlier { path: earlier, packets: 2, bytes: 12 });
        fs::create_dir(&path).unwrap();
        let begun = file.begin();
        file.note(begun);
        file.put(b"006\n");
        fs::remove_dir(&path).unwrap();
        let written = file.finish(b"END");
        assert_eq!((written.packets, written.left_out), (2, 5));
        assert!(written.trouble.unwrap().contains("c.pcapng could not be written"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "HEAD004\n005\nEND");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left over");
    }

    #[test]
    fn parts_that_cannot_be_joined_leave_the_later_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.pcapng");
        let mut file = CaptureFile::create(path.clone(), HEADER.to_vec(), bound(Keeps::Last));
        (0..6).for_each(|number| file.put(format!("{number:03}\n").as_bytes()));
        fs::remove_file(&file.earlier.as_ref().unwrap().path).unwrap();
        let written = file.finish(b"");
        assert_eq!((written.packets, written.left_out), (2, 4));
        assert!(written.trouble.is_some());
        assert_eq!(fs::read_to_string(&path).unwrap(), "HEAD004\n005\n");
    }

    #[test]
    fn a_part_that_cannot_be_turned_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.pcapng");
        let mut file = CaptureFile::create(path.clone(), HEADER.to_vec(), bound(Keeps::Last));
        fs::create_dir(path.with_extension("earlier.pcapng")).unwrap();
        (0..7).for_each(|number| file.put(format!("{number:03}\n").as_bytes()));
        let written = file.finish(b"");
        assert_eq!((written.packets, written.left_out), (4, 3));
        assert!(written.trouble.is_some());
        assert_eq!(fs::read_to_string(&path).unwrap(), "HEAD000\n001\n002\n003\n");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let written = filled(&folder.path().join("file/c.pcapng"), Keeps::First, 3);
        assert_eq!((written.packets, written.left_out), (0, 3));
        assert!(written.trouble.unwrap().contains("file/c.pcapng could not be written"));
    }

    #[test]
    fn a_full_disk_is_told_and_counted() {
        let mut file = CaptureFile::create(PathBuf::from("/dev/full"), Vec::new(), Bound { bytes: 1 << 20, keeps: Keeps::First });
        file.put(b"block");
        file.flush();
        file.put(b"block");
        let written = file.finish(b"END");
        assert_eq!((written.packets, written.left_out), (0, 2));
        let trouble = written.trouble.unwrap();
        assert!(trouble.contains("/dev/full") && trouble.contains("free some space"), "{trouble}");
    }
}
