//! How a run is followed while it goes on: one live line on a terminal, plain lines otherwise. Writes to stderr only.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use scn_runner::engine::timeline::Progress;

/// Shows the progress of several runs.
#[derive(Debug, Clone)]
pub struct Board {
    lines: Option<MultiProgress>,
}

/// Shows the progress of one run.
#[derive(Debug)]
pub struct Line {
    name: String,
    bar: Option<ProgressBar>,
}

impl Board {
    /// A board on stderr.
    #[must_use]
    pub fn new() -> Self {
        let live = std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Board { lines: live.then(MultiProgress::new) }
    }

    /// A line for a run.
    #[must_use]
    pub fn line(&self, name: &str) -> Line {
        let bar = self.lines.as_ref().map(|lines| {
            let bar = lines.add(ProgressBar::new_spinner());
            bar.set_style(
                ProgressStyle::with_template("{spinner} {prefix} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Line { name: name.to_owned(), bar }
    }
}

impl Default for Board {
    fn default() -> Self {
        Board::new()
    }
}

impl Line {
    /// Shows what the engine tells.
    pub fn show(&self, progress: &Progress<'_>) {
        match progress {
            Progress::Step(step) => self.say(step),
            Progress::Event(event) => self.say(&format!("{:>8.3}s  {}", seconds(event.asked_ns), event.text)),
            // Whoever shows it says more than a line.
            Progress::Held(_) => self.finish(),
            Progress::Tick { now_ns, last_ns, flows } => {
                if let Some(bar) = &self.bar {
                    let of = if last_ns > now_ns { format!(" of {:.0}s", seconds(*last_ns)) } else { String::new() };
                    bar.set_message(format!("{:.1}s{of}  {flows}", seconds(*now_ns)));
                }
            }
        }
    }

    /// A lasting line.
    #[expect(clippy::print_stderr, reason = "progress is what stderr is for")]
    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("{} {text}", self.name)),
            None => eprintln!("{} {text}", self.name),
        }
    }

    /// Takes the live line away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}
