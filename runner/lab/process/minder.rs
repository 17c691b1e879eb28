//! Minds one copy of a program from the runner's side: starts it, waits until it is ready, stops it in good order or at once, takes note of
//! its output, its use of the machine and its end. In: orders, one after the other. Out: answers, news of what nobody ordered, a report.
//! A task of the programs' thread.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use regex::Regex;
use scn_grammar::scenario::process::Signal;
use scn_reports::record::EventKind;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::message::{FromGuard, ToGuard};
use super::now::{Now, Question, matches};
use super::output::{self, Store, Written};
use super::probe;
use super::spec::{self, Copy, Look};
use super::talk;
use super::{News, Tools};

/// What is used is looked at so often.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// So many looks are kept: 2.7 hours of them.
const MOST_LOOKS: usize = 40_000;
/// Between two looks whether a UDP port is bound.
const BOUND_EVERY: Duration = Duration::from_millis(20);
/// When a program has ended, what it wrote is read for no longer.
const DRAIN_LIMIT: Duration = Duration::from_millis(200);
/// Lines of a program that are shown when it fails.
const LAST_LINES: usize = 5;

/// Warnings, or why it could not be done.
pub(super) type Answer = Result<Vec<String>, String>;
/// Where an answer goes.
pub(super) type Reply = Box<dyn FnOnce(Answer) + Send>;

/// What a copy can be told.
pub(super) enum Order {
    /// To start; answered when it is ready, or as soon as it runs.
    Start { until_ready: bool, reply: Reply },
    /// To stop in good order; answered when it was told so.
    Stop(Reply),
    /// To end at once, if need be so that its peers hear nothing; answered when nothing of it lives.
    Kill { silently: bool, reply: Reply },
    /// A signal.
    Signal(Signal, Reply),
    /// All its processes stop where they are.
    Freeze(Reply),
    /// They go on.
    Thaw(Reply),
    /// To end in good order if it runs, and to start anew; answered when it was told to end, or runs.
    Restart(Reply),
    /// To tell what it leaves behind so far; it goes on.
    Tell(oneshot::Sender<Report>),
    /// To tell what it is at this moment.
    Look(Question),
    /// To end in good order; the last order.
    Finish(oneshot::Sender<Report>),
}

/// What a copy leaves behind, but for its words in the plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    /// From each start to its end.
    pub(super) lives: Vec<Past>,
    /// When, processor time in ns, memory in bytes.
    pub(super) looks: Vec<(Instant, u64, u64)>,
    /// Looks ended here, for there were too many.
    pub(super) looks_until: Option<Instant>,
    /// Processor time, ns.
    pub(super) cpu_ns: u64,
    /// Bytes.
    pub(super) peak: u64,
    /// What it wrote.
    pub(super) output: Store,
}

/// One life.
#[derive(Debug, Clone)]
pub(super) struct Past {
    pub(super) started: Instant,
    pub(super) ready: Option<Instant>,
    pub(super) ended: Option<Instant>,
    pub(super) status: Option<i32>,
    pub(super) asked: bool,
}

/// The program while it runs.
struct Life {
    started: Instant,
    ready: Option<Instant>,
    orders: OwnedWriteHalf,
    words: Receiver<FromGuard>,
    lines: Option<Receiver<Written>>,
    /// Orders that the guard will answer, in order; `None`: nobody waits for it.
    asked_for: VecDeque<Option<Reply>>,
    when_started: Option<Reply>,
    when_ready: Option<Reply>,
    when_gone: Vec<Reply>,
    /// Looks for its readiness.
    probe: Option<JoinHandle<()>>,
    ready_by: Option<Instant>,
    /// Status of its first process.
    first: Option<i32>,
    /// Its first process ended well and nobody had asked: the rest is a daemon.
    background: bool,
    /// Its end was asked for.
    asked: bool,
    frozen: bool,
    /// Then all of it is killed.
    kill_at: Option<Instant>,
    /// It is to be started anew when it has ended.
    again: bool,
    look_at: Instant,
    bound_at: Option<Instant>,
}

/// The task's state.
pub(super) struct Minder {
    copy: Copy,
    tools: Tools,
    life: Option<Life>,
    report: Report,
    finish: Option<oneshot::Sender<Report>>,
}

impl Minder {
    pub(super) fn new(copy: Copy, tools: Tools) -> Self {
        Minder { copy, tools, life: None, report: Report::default(), finish: None }
    }

    /// Lives until it is told to finish, or nobody can tell it anything any more.
    pub(super) async fn mind(mut self, mut orders: UnboundedReceiver<Order>) {
        while self.finish.is_none() || self.life.is_some() {
            let next = self.next_instant();
            tokio::select! {
                order = orders.recv(), if self.finish.is_none() => match order {
                    Some(order) => self.obey(order).await,
                    None => return,
                },
                sign = sign_of(&mut self.life) => match sign {
                    Sign::Word(word) => self.hear(word).await,
                    Sign::Line(line) => self.note(line),
                    Sign::Ready => self.is_ready(),
                },
                () = tokio::time::sleep_until(next.into()) => self.on_time().await,
            }
        }
        if let Some(finish) = self.finish {
            let _ = finish.send(self.report);
        }
    }

    fn what(&self) -> String {
        format!("{} on {}", self.copy.name, self.copy.on)
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Start { until_ready, reply } => match self.life {
                Some(_) => reply(Ok(vec![format!("start {} had no effect: it runs already", self.what())])),
                None => self.start(until_ready, Some(reply)),
            },
            Order::Stop(reply) => match self.life {
                Some(_) => self.stop(Some(reply)).await,
                None => reply(Ok(self.idle("stop"))),
            },
            Order::Restart(reply) => match &mut self.life {
                Some(life) => {
                    life.again = true;
                    self.stop(Some(reply)).await;
                }
                None => self.start(false, Some(reply)),
            },
            Order::Kill { silently, reply } => match &mut self.life {
                Some(life) => {
                    (life.asked, life.again, life.kill_at) = (true, false, None);
                    if silently {
                        // Answered if it cannot be done; otherwise it is gone, and that answers.
                        self.tell(ToGuard::Kill { silently }, Some(reply)).await;
                    } else {
                        life.when_gone.push(reply);
                        self.kill().await;
                    }
                }
                None => reply(Ok(self.idle("kill"))),
            },
            Order::Signal(signal, reply) => match &mut self.life {
                Some(life) => {
                    life.asked |= spec::ends(signal);
                    self.tell(ToGuard::Signal { number: spec::number(signal), stop: false }, Some(reply)).await;
                }
                None => reply(Ok(self.idle(&format!("signal {signal} to")))),
            },
            Order::Freeze(reply) => self.still(true, reply).await,
            Order::Thaw(reply) => self.still(false, reply).await,
            Order::Tell(report) => drop(report.send(self.so_far())),
            Order::Look(Question { text, tell }) => drop(tell.send(self.now(text.as_ref()))),
            Order::Finish(report) => {
                self.finish = Some(report);
                match &mut self.life {
                    Some(life) if life.frozen => {
                        (life.asked, life.again) = (true, false);
                        self.kill().await;
                    }
                    Some(life) => {
                        life.again = false;
                        self.stop(None).await;
                    }
                    None => {}
                }
            }
        }
    }

    /// The report, with the life that goes on.
    fn so_far(&self) -> Report {
        let mut report = self.report.clone();
        if let Some(life) = &self.life {
            report.lives.push(Past { started: life.started, ready: life.ready, ended: None, status: None, asked: false });
            report.cpu_ns = report.cpu_ns.max(report.looks.last().map_or(0, |(_, cpu_ns, _)| *cpu_ns));
        }
        report
    }

    fn now(&self, text: Option<&(Regex, bool)>) -> Now {
        let since = self.life.as_ref().map(|life| life.started);
        let looked = self.report.looks.last().filter(|(at, ..)| since.is_some_and(|since| *at >= since)).map(|(_, _, bytes)| *bytes);
        Now {
            running: since.is_some(),
            exits: self.report.lives.len() as u64,
            last: self.report.lives.last().and_then(|past| Some((past.ended?, past.status))),
            memory: if since.is_some() { looked } else { Some(0) },
            matches: text.and_then(|(regex, both)| matches(&self.report.output, regex, *both)),
        }
    }

    fn idle(&self, verb: &str) -> Vec<String> {
        vec![format!("{verb} {} had no effect: it does not run", self.what())]
    }

    async fn still(&mut self, frozen: bool, reply: Reply) {
        let what = self.what();
        match &mut self.life {
            None => reply(Ok(self.idle(if frozen { "freeze" } else { "thaw" }))),
            Some(life) if life.frozen == frozen => {
                let verb = if frozen { "freeze" } else { "thaw" };
                reply(Ok(vec![format!("{verb} {what} had no effect: it was so already")]));
            }
            Some(life) => {
                life.frozen = frozen;
                self.tell(if frozen { ToGuard::Freeze } else { ToGuard::Thaw }, Some(reply)).await;
            }
        }
    }

    /// Tells the guard something. One that does not listen is gone, which its silence will say.
    async fn tell(&mut self, order: ToGuard, reply: Option<Reply>) {
        let Some(life) = &mut self.life else { return };
        let answered = order != ToGuard::Kill { silently: false };
        if talk::say(&mut life.orders, &order).await.is_ok() && answered {
            life.asked_for.push_back(reply);
        } else if let Some(reply) = reply {
            reply(Ok(Vec::new()));
        }
    }

    /// Begins to stop it in good order.
    async fn stop(&mut self, reply: Option<Reply>) {
        let (signal, within) = (self.copy.stop, Duration::from_nanos(self.copy.stop_ns));
        let Some(life) = &mut self.life else { return };
        life.asked = true;
        life.kill_at.get_or_insert(Instant::now() + within);
        self.tell(ToGuard::Signal { number: spec::number(signal), stop: true }, reply).await;
    }

    async fn kill(&mut self) {
        if let Some(life) = &mut self.life {
            life.kill_at = None;
        }
        self.tell(ToGuard::Kill { silently: false }, None).await;
    }

    /// Starts a guard with the program.
    fn start(&mut self, until_ready: bool, reply: Option<Reply>) {
        let started = self.tools.start(self.copy.start.clone()).and_then(|(orders, words, guard)| {
            let lines = output::read(guard.0, guard.1).map_err(|cause| cause.to_string())?;
            Ok((orders, words, lines))
        });
        let (orders, words, lines) = match started {
            Ok(parts) => parts,
            Err(why) => return self.failed_to_start(reply, why),
        };
        let now = Instant::now();
        let (when_ready, when_started) = if until_ready { (reply, None) } else { (None, reply) };
        self.life = Some(Life {
            started: now,
            ready: None,
            orders,
            words,
            lines: Some(lines),
            asked_for: VecDeque::new(),
            when_started,
            when_ready,
            when_gone: Vec::new(),
            probe: None,
            ready_by: None,
            first: None,
            background: false,
            asked: false,
            frozen: false,
            kill_at: None,
            again: false,
            look_at: now,
            bound_at: None,
        });
    }

    fn failed_to_start(&mut self, reply: Option<Reply>, why: String) {
        match reply {
            Some(reply) => reply(Err(format!("could not be started: {why}"))),
            None => self.break_run(format!("could not be started: {why}")),
        }
    }

    fn break_run(&self, what: String) {
        let _ = self.tools.news.send(News::Broken(format!("process {} {what}", self.what())));
    }

    /// The guard says something; `None`: it is gone without a word.
    async fn hear(&mut self, word: Option<FromGuard>) {
        let Some(life) = &mut self.life else { return };
        match word {
            Some(FromGuard::Started) => self.runs(),
            Some(FromGuard::NotStarted(why)) => {
                let reply = life.when_started.take().or(life.when_ready.take());
                self.life = None;
                self.failed_to_start(reply, why);
            }
            Some(FromGuard::Reached(count)) => {
                let what = self.copy.name.clone();
                if let Some(reply) = life.asked_for.pop_front().flatten() {
                    let idle = format!("{what} was not reached: none of its processes lives");
                    reply(Ok(if count == 0 { vec![idle] } else { Vec::new() }));
                }
            }
            Some(FromGuard::Refused(why)) => {
                if let Some(reply) = life.asked_for.pop_front().flatten() {
                    reply(Err(why));
                }
            }
            Some(FromGuard::Usage(cpu_ns, memory)) => {
                life.asked_for.pop_front();
                self.looked(cpu_ns, memory);
            }
            Some(FromGuard::Bound(bound)) => {
                life.asked_for.pop_front();
                if bound {
                    self.is_ready();
                }
            }
            // Said of names alone.
            Some(FromGuard::Found(_)) => {}
            Some(FromGuard::Exited(status)) => {
                life.first = Some(status);
                life.background = status == 0 && !life.asked;
                if status != 0 && !life.asked {
                    // It failed; what it left behind is of no use.
                    life.kill_at = Some(Instant::now());
                }
            }
            Some(FromGuard::Gone { last, cpu_ns, peak }) => {
                self.report.cpu_ns += cpu_ns;
                self.report.peak = self.report.peak.max(peak);
                self.over(Some(last)).await;
            }
            None => self.over(None).await,
        }
    }

    /// The program runs: looking for its readiness begins.
    fn runs(&mut self) {
        let Some(life) = &mut self.life else { return };
        if let Some(reply) = life.when_started.take() {
            reply(Ok(Vec::new()));
        }
        let Some(ready) = &self.copy.ready else { return self.is_ready() };
        life.ready_by = Some(life.started + Duration::from_nanos(ready.within_ns));
        match &ready.look {
            Look::Tcp(target) => life.probe = Some(tokio::spawn(probe::taken(self.tools.door.clone(), self.copy.node, *target))),
            Look::Run(start) => life.probe = Some(tokio::spawn(probe::succeeds(self.tools.clone(), start.clone()))),
            Look::Udp(_) => life.bound_at = Some(life.started),
            Look::Log(_) => {}
        }
    }

    fn is_ready(&mut self) {
        let again = !self.report.lives.is_empty();
        let what = self.what();
        let Some(life) = &mut self.life else { return };
        (life.probe, life.ready_by, life.bound_at) = (None, None, None);
        if life.ready.is_some() {
            return;
        }
        let at = Instant::now();
        life.ready = Some(at);
        if let Some(reply) = life.when_ready.take() {
            reply(Ok(Vec::new()));
        }
        if again {
            let _ = self.tools.news.send(News::Happened { at, text: format!("{what} is ready"), kind: EventKind::Start });
        }
    }

    fn note(&mut self, line: Option<Written>) {
        let Some(life) = &mut self.life else { return };
        let Some(line) = line else {
            life.lines = None;
            return;
        };
        let matches = match self.copy.ready.as_ref().map(|ready| &ready.look) {
            // The end of a line may be of two characters.
            Some(Look::Log(regex)) => life.ready.is_none() && regex.is_match(line.text.trim_end_matches('\r')),
            _ => false,
        };
        self.report.output.add(Written { text: self.tools.secrets.mask(line.text), ..line });
        if matches {
            self.is_ready();
        }
    }

    fn looked(&mut self, cpu_ns: u64, memory: u64) {
        // What lives before this one used is in the report already. A process that is being reaped is missing for a moment.
        let so_far = self.report.looks.last().map_or(0, |(_, cpu_ns, _)| *cpu_ns);
        let cpu_ns = (self.report.cpu_ns + cpu_ns).max(so_far);
        self.report.looks.push((Instant::now(), cpu_ns, memory));
        self.report.peak = self.report.peak.max(memory);
    }

    /// What is due first.
    fn next_instant(&self) -> Instant {
        let far = Instant::now() + Duration::from_secs(3600);
        let Some(life) = &self.life else { return far };
        let looks = (self.report.looks.len() < MOST_LOOKS).then_some(life.look_at);
        [life.kill_at, life.ready_by, life.bound_at, looks].into_iter().flatten().min().unwrap_or(far)
    }

    async fn on_time(&mut self) {
        let now = Instant::now();
        let Some(life) = &mut self.life else { return };
        if life.kill_at.is_some_and(|at| at <= now) {
            return self.kill().await;
        }
        if life.ready_by.is_some_and(|at| at <= now) {
            return self.never_ready().await;
        }
        if life.bound_at.is_some_and(|at| at <= now)
            && let Some(Look::Udp(target)) = self.copy.ready.as_ref().map(|ready| &ready.look)
        {
            life.bound_at = Some(now + BOUND_EVERY);
            let target = *target;
            self.tell(ToGuard::Bound(target.ip(), target.port()), None).await;
        } else if life.look_at <= now && self.report.looks.len() < MOST_LOOKS {
            life.look_at = now + LOOK_EVERY;
            if self.report.looks.len() + 1 == MOST_LOOKS {
                self.report.looks_until = Some(now);
            }
            self.tell(ToGuard::Usage, None).await;
        }
    }

    /// The time for becoming ready is over.
    async fn never_ready(&mut self) {
        let Some(ready) = self.copy.ready.clone() else { return };
        let missing = match &ready.look {
            Look::Tcp(target) => format!("nothing took a connection at {target}"),
            Look::Udp(target) => format!("nothing bound {target} over udp"),
            Look::Log(regex) => format!("no line of its output matched /{regex}/"),
            Look::Run(start) => format!("`{}` did not end with 0", self.tools.secrets.mask(start.command.clone())),
        };
        let why = format!("was not ready within {:?}: {missing}; {}", Duration::from_nanos(ready.within_ns), self.last_words());
        let Some(life) = &mut self.life else { return };
        (life.ready_by, life.probe, life.bound_at, life.asked) = (None, None, None, true);
        match life.when_ready.take() {
            Some(reply) => reply(Err(why)),
            None => self.break_run(why),
        }
        self.kill().await;
    }

    /// The last that this life wrote, on one line.
    fn last_words(&self) -> String {
        let since = self.life.as_ref().map_or_else(Instant::now, |life| life.started);
        let lines = self.report.output.last(LAST_LINES, since);
        if lines.is_empty() {
            return "it wrote nothing".to_owned();
        }
        let plain = |line: &String| -> String { line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect() };
        format!("it wrote last: {}", lines.iter().map(plain).collect::<Vec<_>>().join(" / "))
    }

    /// Nothing of it lives any more.
    async fn over(&mut self, last: Option<i32>) {
        let ended = Instant::now();
        let until = ended + DRAIN_LIMIT;
        while let Some(life) = self.life.as_mut().filter(|life| life.lines.is_some()) {
            match tokio::time::timeout_at(until.into(), line_of(&mut life.lines)).await {
                Ok(line) => self.note(line),
                Err(_) => break,
            }
        }
        let words = self.last_words();
        let Some(life) = self.life.take() else { return };
        let status = if life.background { last } else { life.first.or(last) };
        let how = status.map_or_else(|| "without a status".to_owned(), words_of);
        self.report.lives.push(Past { started: life.started, ready: life.ready, ended: Some(ended), status, asked: life.asked });
        if let Some(probe) = &life.probe {
            probe.abort();
        }
        life.when_gone.into_iter().chain(life.asked_for.into_iter().flatten()).for_each(|reply| reply(Ok(Vec::new())));
        if self.finish.is_some() {
            return;
        }
        if let Some(reply) = life.when_ready.or(life.when_started) {
            return reply(Err(format!("ended with {how} before it was ready; {words}")));
        }
        let text = format!("{} ended with {how}", self.what());
        let _ = self.tools.news.send(News::Happened { at: ended, text, kind: EventKind::Stop });
        if !life.asked {
            self.break_run(format!("ended unasked with {how}; {words}"));
        } else if life.again {
            self.start(false, None);
        }
    }
}

/// `status 1`, `signal 9`.
pub(super) fn words_of(status: i32) -> String {
    if status > 128 { format!("signal {}", status - 128) } else { format!("status {status}") }
}

/// What comes from a running program.
enum Sign {
    /// From its guard; `None`: that is gone.
    Word(Option<FromGuard>),
    /// A line; `None`: its output is closed.
    Line(Option<Written>),
    /// It was found to be ready.
    Ready,
}

/// The next sign of life; pending while nothing runs. Dropping it loses nothing.
async fn sign_of(life: &mut Option<Life>) -> Sign {
    let Some(Life { words, lines, probe, .. }) = life else { return std::future::pending().await };
    tokio::select! {
        line = line_of(lines) => Sign::Line(line),
        word = words.recv() => Sign::Word(word),
        () = found(probe) => Sign::Ready,
    }
}

async fn line_of(lines: &mut Option<Receiver<Written>>) -> Option<Written> {
    match lines {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}

async fn found(probe: &mut Option<JoinHandle<()>>) {
    match probe {
        Some(probe) => drop(probe.await),
        None => std::future::pending().await,
    }
}
