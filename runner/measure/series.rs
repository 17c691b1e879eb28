//! A flow's record made ready to be measured: items in the orders that windows are cut by, sorted once. In: a flow record and
//! the instants at which it was told to stop. Out: ranges of rows by window. Measures nothing.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use scn_reports::record::flow::{FlowRecord, Item, ItemOutcome, NEVER};

use super::Window;
use super::distribution::{Distribution, Family};

/// Distributions that are kept sorted for the next question about the same window.
const KEPT_DISTRIBUTIONS: usize = 12;

/// Rows of the items, sorted by an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Done ones by `done_ns`.
    Done,
    /// Done ones by `sent_ns`.
    DoneBySent,
    /// Failed ones by `done_ns`, or by `sent_ns` if the failure's own instant is not known.
    Failed,
    /// All that were sent, by `sent_ns`.
    Sent,
    /// Failed after they were sent, by `sent_ns`.
    Lost,
    /// Sent and neither done nor failed, by `sent_ns`.
    Unfinished,
    /// Dropped ones by `intended_ns`.
    Dropped,
    /// All by `intended_ns`.
    Intended,
}

const ORDERS: usize = 8;

/// Sorted samples by what they are of.
type Kept = Vec<((Family, Window), Rc<Distribution>)>;

/// A flow's series, ready to be measured.
#[derive(Debug)]
pub struct Series<'a> {
    /// What was recorded.
    pub record: &'a FlowRecord,
    /// When it ran: start and stop, ns. A stop is the instant at which the flow was told to stop, or at which it had done all.
    pub runs: Vec<(i64, i64)>,
    orders: [OnceCell<Vec<u32>>; ORDERS],
    pub(super) closed_loop_gap: OnceCell<f64>,
    longest_service_ns: OnceCell<i64>,
    distributions: RefCell<Kept>,
}

impl<'a> Series<'a> {
    /// Makes a record ready. `stops`: when the timeline told the flow to stop, ns; its connections close only afterwards, which
    /// is no change of the flow's own doing.
    #[must_use]
    pub fn new(record: &'a FlowRecord, stops: &[i64]) -> Self {
        let told = |start: i64, stop: i64| stops.iter().copied().filter(|at| (start..=stop).contains(at)).min().unwrap_or(stop);
        let mut runs: Vec<(i64, i64)> = record.ran_ns.iter().map(|(start, stop)| (*start, told(*start, *stop))).collect();
        runs.sort_unstable();
        Series {
            record,
            runs,
            orders: std::array::from_fn(|_| OnceCell::new()),
            closed_loop_gap: OnceCell::new(),
            longest_service_ns: OnceCell::new(),
            distributions: RefCell::new(Vec::new()),
        }
    }

    /// The running time as one window, from the first start to the last stop; the stop's own instant belongs to it. `None`: it
    /// never ran.
    #[must_use]
    pub fn running(&self) -> Option<Window> {
        let (from_ns, stop) = (self.runs.first()?.0, self.runs.last()?.1);
        Some(Window { from_ns, to_ns: stop.saturating_add(1) })
    }

    /// A window cut at the flow's start and stop; empty if they share nothing.
    #[must_use]
    pub fn cut(&self, window: Window) -> Window {
        self.running().map_or(Window { from_ns: window.from_ns, to_ns: window.from_ns }, |running| running.common(window))
    }

    /// The stretches of a window in which the flow ran. Here a stop's instant is the end and not part of it, so that lengths
    /// are true.
    pub(crate) fn pieces(&self, window: Window) -> impl Iterator<Item = Window> + '_ {
        let runs = self.runs.iter().map(move |(from_ns, to_ns)| window.common(Window { from_ns: *from_ns, to_ns: *to_ns }));
        runs.filter(|piece| !piece.is_empty())
    }

    /// The stretches of a window in which something was offered: the flow ran and was not paused.
    pub(crate) fn offered(&self, window: Window) -> Vec<Window> {
        let mut pieces: Vec<Window> = self.pieces(window).collect();
        for (from_ns, to_ns) in &self.record.paused_ns {
            let before = |piece: &Window| piece.common(Window { from_ns: i64::MIN, to_ns: *from_ns });
            let after = |piece: &Window| piece.common(Window { from_ns: *to_ns, to_ns: i64::MAX });
            pieces = pieces.iter().flat_map(|piece| [before(piece), after(piece)]).filter(|piece| !piece.is_empty()).collect();
        }
        pieces
    }

    /// How long the flow ran in a window, ns.
    pub(crate) fn running_ns(&self, window: Window) -> i64 {
        self.pieces(window).map(Window::length_ns).sum()
    }

    /// Whether all that belongs to a window was seen and kept.
    #[must_use]
    pub fn saw_whole(&self, window: Window, cut: bool) -> bool {
        let kept = self.record.truncated_at_ns.is_none_or(|at| window.to_ns <= at);
        let reaches_end = self.running().is_none_or(|running| window.to_ns >= running.to_ns);
        kept && !(cut && reaches_end && !self.record.finished)
    }

    /// An instant as it counts: what happens after a stop counts at the stop, what happens before the start at the start.
    pub(crate) fn counted_at(&self, instant_ns: i64) -> i64 {
        match self.runs.partition_point(|run| run.0 <= instant_ns) {
            0 => self.runs.first().map_or(instant_ns, |run| run.0),
            after => instant_ns.min(self.runs[after - 1].1),
        }
    }

    /// An item by its row.
    pub(crate) fn item(&self, row: u32) -> &'a Item {
        &self.record.items[row as usize]
    }

    /// The instant of a row in an order.
    pub(crate) fn instant(&self, order: Order, row: u32) -> i64 {
        self.counted_at(key(order, self.item(row)).unwrap_or(NEVER))
    }

    /// All rows of an order.
    pub(crate) fn all(&self, order: Order) -> &[u32] {
        self.orders[order as usize].get_or_init(|| {
            let rows = 0..u32::try_from(self.record.items.len()).unwrap_or(u32::MAX);
            let mut rows: Vec<u32> = rows.filter(|row| key(order, self.item(*row)).is_some()).collect();
            let instant = |row: &u32| key(order, self.item(*row)).unwrap_or(NEVER);
            if !rows.is_sorted_by_key(instant) {
                rows.sort_by_key(instant);
            }
            rows
        })
    }

    /// The longest time from an item's sending to its end, of all that are done, ns.
    pub(crate) fn longest_service_ns(&self) -> i64 {
        let of = |row: &u32| self.item(*row).done_ns.saturating_sub(self.item(*row).sent_ns);
        *self.longest_service_ns.get_or_init(|| self.all(Order::Done).iter().map(of).max().unwrap_or(0))
    }

    /// The rows of an order that fall into a window.
    pub(crate) fn rows(&self, order: Order, window: Window) -> &[u32] {
        let all = self.all(order);
        let first = all.partition_point(|row| self.instant(order, *row) < window.from_ns);
        let end = all.partition_point(|row| self.instant(order, *row) < window.to_ns);
        &all[first..end.max(first)]
    }

    /// The sorted samples of a window; kept for the next question.
    pub(crate) fn distribution(&self, family: Family, window: Window) -> Rc<Distribution> {
        let wanted = (family, window);
        if let Some((_, found)) = self.distributions.borrow().iter().find(|(key, _)| *key == wanted) {
            return Rc::clone(found);
        }
        let made = Rc::new(family.collect(self, window));
        let mut kept = self.distributions.borrow_mut();
        if kept.len() == KEPT_DISTRIBUTIONS {
            kept.remove(0);
        }
        kept.push((wanted, Rc::clone(&made)));
        made
    }
}

/// The instant that an order sorts an item by; `None`: the item is not in it.
fn key(order: Order, item: &Item) -> Option<i64> {
    let known = |instant: i64| (instant != NEVER).then_some(instant);
    match (order, item.outcome) {
        (Order::Done, ItemOutcome::Done) => known(item.done_ns),
        (Order::DoneBySent, ItemOutcome::Done) => known(item.sent_ns),
        (Order::Failed, ItemOutcome::Failed) => known(item.done_ns).or(known(item.sent_ns)).or(known(item.intended_ns)),
        (Order::Lost, ItemOutcome::Failed) | (Order::Unfinished, ItemOutcome::Unfinished) => known(item.sent_ns),
        (Order::Sent, _) => known(item.sent_ns),
        (Order::Dropped, ItemOutcome::Dropped) | (Order::Intended, _) => known(item.intended_ns),
        _ => None,
    }
}
