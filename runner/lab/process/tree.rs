//! The processes of a program: all that descend from its guard, whatever went to the background. In: a process. Out: its descendants and what
//! they use, as `/proc` tells them at one moment. Changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use nix::time::clock_getcpuclockid;
use nix::unistd::{Pid, SysconfVar, sysconf};

/// Programs that wait for others.
const SHELLS: [&str; 7] = ["sh", "dash", "bash", "ash", "ksh", "zsh", "busybox"];

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    /// Its number in the namespace.
    pub(super) id: i32,
    parent: i32,
    /// `T`: stopped, `Z`: ended and not reaped.
    state: char,
    /// Processor time of children that it has reaped, ticks.
    reaped_ticks: u64,
    /// Resident memory, pages.
    pages: u64,
}

impl Process {
    /// It does not run and will not until it is told to.
    pub(super) fn is_still(&self) -> bool {
        matches!(self.state, 'T' | 't' | 'Z' | 'X')
    }

    /// It has ended.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// All descendants of a process, parents first.
pub(super) fn descendants(of: i32) -> io::Result<Vec<Process>> {
    let mut children: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for entry in fs::read_dir("/proc")?.filter_map(Result::ok) {
        if !entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit())) {
            continue;
        }
        // One that ends meanwhile is no process any more.
        let Ok(text) = fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(process) = parse(&text) {
            children.entry(process.parent).or_default().push(process);
        }
    }
    let (mut found, mut next) = (Vec::new(), vec![of]);
    while let Some(parent) = next.pop() {
        for process in children.remove(&parent).unwrap_or_default() {
            next.push(process.id);
            found.push(process);
        }
    }
    Ok(found)
}

/// A line of `/proc/N/stat`: the name in parentheses may hold anything.
fn parse(text: &str) -> Option<Process> {
    let (before, after) = (text.split_once(" (")?.0, text.rsplit_once(") ")?.1);
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Process {
        id: before.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        state: fields.first()?.chars().next()?,
        reaped_ticks: number(13)? + number(14)?,
        pages: number(21)?,
    })
}

/// A process is a shell.
pub(super) fn is_shell(process: i32) -> bool {
    let program = fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default();
    program.file_name().and_then(|name| name.to_str()).is_some_and(|name| SHELLS.contains(&name))
}

/// A process catches a signal or ignores it.
pub(super) fn minds(process: i32, number: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let bits = |key: &str| status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix(key)?.trim(), 16).ok()).unwrap_or(0);
    let bit = u32::try_from(number - 1).unwrap_or(u32::MAX);
    (bits("SigCgt:") | bits("SigIgn:")).checked_shr(bit).unwrap_or(0) & 1 == 1
}

/// Processor time that the processes and the children they reaped have used, ns, and their resident memory, bytes.
pub(super) fn usage(processes: &[Process]) -> (u64, u64) {
    let constant = |which| sysconf(which).ok().flatten().and_then(|value| u64::try_from(value).ok());
    let tick_ns = 1_000_000_000 / constant(SysconfVar::CLK_TCK).unwrap_or(100).max(1);
    let page = constant(SysconfVar::PAGE_SIZE).unwrap_or(4096);
    let own_ns = |process: &Process| {
        // One that ended meanwhile is counted when it is reaped.
        let time = clock_getcpuclockid(Pid::from_raw(process.id)).and_then(|clock| clock.now()).ok()?;
        Some(u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0))
    };
    let cpu_ns = processes.iter().map(|process| own_ns(process).unwrap_or(0) + process.reaped_ticks * tick_ns).sum();
    (cpu_ns, processes.iter().map(|process| process.pages * page).sum())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_line_of_stat_with_an_odd_name() {
        let line = "12 (a) b (c) T 7 12 12 0 -1 4194560 110 0 0 0 3 4 5 6 20 0 1 0 57 2523136 123 18446744073709551615 1 1";
        assert_eq!(parse(line), Some(Process { id: 12, parent: 7, state: 'T', reaped_ticks: 11, pages: 123 }));
        assert_eq!(parse("12 (a"), None);
        assert!(parse(line).unwrap().is_still() && !parse(line).unwrap().is_over());
    }

    #[test]
    fn a_child_is_found_with_its_memory() {
        let mut child = std::process::Command::new("sleep").arg("10").spawn().unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let id = i32::try_from(child.id()).unwrap();
        let memory = || {
            let found = descendants(own).unwrap();
            usage(std::slice::from_ref(found.iter().find(|process| process.id == id).unwrap())).1
        };
        // The kernel sums up a young process's pages late.
        let until = Instant::now() + Duration::from_secs(5);
        while memory() == 0 {
            assert!(Instant::now() < until, "no memory");
            std::thread::yield_now();
        }
        assert!(!is_shell(id) && !minds(id, libc::SIGUSR2));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!descendants(own).unwrap().iter().any(|process| process.id == id));
    }
}
