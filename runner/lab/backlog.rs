//! What the machine's kernel throws away between two interfaces because a processor's queue of received packets is full: a loss of no network that a
//! scenario describes. In: the kernel's count (`/proc/net/softnet_stat`). Out: a warning. Prevents nothing.

use std::fs;

/// Where the kernel counts, a line for each processor; the second number of each is what was dropped.
const COUNTED: &str = "/proc/net/softnet_stat";
/// How long a queue may be, packets.
const LONGEST: &str = "/proc/sys/net/core/netdev_max_backlog";

/// The count at an instant.
#[derive(Debug, Clone, Copy)]
pub struct Backlog {
    dropped: Option<u64>,
}

impl Backlog {
    /// Looks now.
    #[must_use]
    pub fn look() -> Self {
        Backlog { dropped: fs::read_to_string(COUNTED).ok().and_then(|text| dropped(&text)) }
    }

    /// What has been dropped since, in words; `None`: nothing, or nobody knows.
    #[must_use]
    pub fn told(self) -> Option<String> {
        let lost = Backlog::look().dropped?.saturating_sub(self.dropped?);
        let longest = fs::read_to_string(LONGEST).unwrap_or_default();
        (lost > 0).then(|| words(lost, longest.trim()))
    }
}

fn words(lost: u64, longest: &str) -> String {
    let now = if longest.is_empty() { String::new() } else { format!(", now {longest}") };
    format!(
        "while the timeline ran this machine dropped {lost} packets because a processor's queue of received packets was full: what flows lost may be these \
         and no loss of the network (net.core.netdev_max_backlog{now}, is how many a queue holds)"
    )
}

/// Packets dropped by all processors.
fn dropped(text: &str) -> Option<u64> {
    let of = |line: &str| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
    text.lines().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_processors_are_summed_up() {
        let text = "15e6b338 00000048 000000ea 00000000\n0e0fe446 0000000a 000000ea 00000000\n";
        assert_eq!((dropped(text), dropped("1 x\n"), dropped("1\n"), dropped("")), (Some(0x52), None, None, Some(0)));
        assert!(words(7, "1000").contains("dropped 7 packets") && words(7, "1000").contains("now 1000"));
    }
}
