//! Controlled delay, RFC 8289: which packets a queue drops at its head because they have waited too long. In: instants, what each packet
//! waited, what still waits. Out: pass, mark or drop. Holds no packets.

use scn_grammar::scenario::topology::Codel;

/// Below so many bytes in the queue nothing is dropped: one packet of an ordinary Ethernet, its header included.
const LEAST_BYTES: u64 = 1_514;
/// After this many intervals without a drop the rate of drops is found anew.
const FORGETS_AFTER: u64 = 16;

/// What becomes of the packet at the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruling {
    Pass,
    /// It is marked if it allows that, and passes; otherwise dropped, and the next is asked about.
    Drop,
}

/// Where a call for the next packet stands: the pseudo code of the RFC, cut at each place where it looks at a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The first packet of this call.
    First,
    /// One was dropped while dropping went on.
    While,
    /// One was dropped with which dropping begins.
    Begun,
}

/// The state of one queue.
#[derive(Debug, Clone)]
pub(super) struct Control {
    setting: Codel,
    first_above_ns: Option<u64>,
    drop_next_ns: u64,
    count: u64,
    last_count: u64,
    dropping: bool,
    step: Step,
}

impl Control {
    pub(super) fn new(setting: Codel) -> Self {
        Control { setting, first_above_ns: None, drop_next_ns: 0, count: 0, last_count: 0, dropping: false, step: Step::First }
    }

    /// Other numbers; what it has learnt stays.
    pub(super) fn set(&mut self, setting: Codel) {
        self.setting = setting;
    }

    pub(super) fn marks(&self) -> bool {
        self.setting.ecn
    }

    /// The queue had nothing left to give.
    pub(super) fn emptied(&mut self) {
        self.first_above_ns = None;
        self.dropping = false;
        self.step = Step::First;
    }

    /// What becomes of the packet that was taken off the head at `now`, having waited `waited_ns`, with `left` bytes behind it.
    pub(super) fn judge(&mut self, now_ns: u64, waited_ns: u64, left: u64) -> Ruling {
        let may_drop = self.may_drop(now_ns, waited_ns, left);
        match self.step {
            Step::First if self.dropping => {
                if !may_drop {
                    self.dropping = false;
                }
                self.go_on(now_ns)
            }
            Step::First if may_drop => {
                self.dropping = true;
                let since = self.count.saturating_sub(self.last_count);
                let recent = now_ns.saturating_sub(self.drop_next_ns) < FORGETS_AFTER * self.setting.interval_ns;
                self.count = if since > 1 && recent { since } else { 1 };
                self.drop_next_ns = self.law(now_ns);
                self.last_count = self.count;
                self.step = Step::Begun;
                Ruling::Drop
            }
            Step::First | Step::Begun => self.pass(),
            Step::While => {
                if may_drop {
                    self.drop_next_ns = self.law(self.drop_next_ns);
                } else {
                    self.dropping = false;
                }
                self.go_on(now_ns)
            }
        }
    }

    /// The packet that was to be dropped was marked, and passes.
    pub(super) fn marked(&mut self) {
        if self.step == Step::While {
            self.drop_next_ns = self.law(self.drop_next_ns);
        }
        self.step = Step::First;
    }

    fn go_on(&mut self, now_ns: u64) -> Ruling {
        if self.dropping && now_ns >= self.drop_next_ns {
            self.count += 1;
            self.step = Step::While;
            return Ruling::Drop;
        }
        self.pass()
    }

    fn pass(&mut self) -> Ruling {
        self.step = Step::First;
        Ruling::Pass
    }

    fn may_drop(&mut self, now_ns: u64, waited_ns: u64, left: u64) -> bool {
        if waited_ns < self.setting.target_ns || left <= LEAST_BYTES {
            self.first_above_ns = None;
            return false;
        }
        match self.first_above_ns {
            None => {
                self.first_above_ns = Some(now_ns + self.setting.interval_ns);
                false
            }
            Some(above) => now_ns >= above,
        }
    }

    /// When the next is dropped: the more were, the sooner.
    fn law(&self, from_ns: u64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an interval of seconds in ns"
        )]
        let step = (self.setting.interval_ns as f64 / (self.count.max(1) as f64).sqrt()) as u64;
        from_ns + step
    }
}
