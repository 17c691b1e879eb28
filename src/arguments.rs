//! The command line: what can be said and how it is explained. Parsed by clap; means nothing by itself.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use scn_runner::plan::EngineChoice;

/// The `scn` command.
#[derive(Debug, Parser)]
#[command(
    name = "scn",
    version,
    about = "Network test scenarios: topology, traffic, faults and expectations in one file",
    max_term_width = 100,
    disable_help_subcommand = true
)]
#[command(after_help = "Exit codes: 0 pass, 1 fail, 2 invalid scenario or usage, 3 inconclusive, 4 nothing selected or all skipped, \
5 the lab or the machine failed, 70 internal error, 130/143 interrupted.")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `scn` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios and report
    Run(RunArguments),
    /// Check scenarios without running them
    Check(CheckArguments),
    /// Lay out scenario files as everybody does
    Fmt(FmtArguments),
    /// Print what would be built, sent, done and judged
    Plan(PlanArguments),
    /// Tell what changed in meaning between two versions of scenarios
    Diff(DiffArguments),
    /// Judge stored run records anew
    Judge(RecordArguments),
    /// Make reports from stored run records
    Report(RecordArguments),
    /// Tell more about a diagnostic's code
    Explain(ExplainArguments),
    /// List scenarios with their tags
    List(ListArguments),
    /// Show what the standard library declares
    Std(StdArguments),
    /// Make the page of a library: what it declares, with its documentation
    Doc(DocArguments),
    /// Serve an editor: the Language Server Protocol over standard input and output
    Lsp,
    /// Open a shell in a node of a lab that `scn run --keep-on-failure` holds
    Shell(ShellArguments),
    /// Run a command in a node of a lab that `scn run --keep-on-failure` holds
    Exec(ExecArguments),
    /// Tell what this machine can do
    Doctor(DoctorArguments),
    /// Undo what dead runs of root left on this machine: ports of bridges that stand there, and interfaces that they made
    Clean,
    /// Add a library to scn.toml and lock it
    Add(AddArguments),
    /// Raise libraries to their newest versions that break nothing, and take changed folders into the lock
    Update(UpdateArguments),
    /// Make scn.lock fit scn.toml and bring every library to this machine
    Fetch(FetchArguments),
    /// Compare every library on this machine with scn.lock
    Verify,
    /// Copy every library to vendor/ beside scn.toml
    Vendor,
    /// Print this, the help of a command, or the reference of the language (`scn help language`)
    Help(HelpArguments),
}

/// Which scenarios.
#[derive(Debug, Args)]
pub struct Selection {
    /// Files, folders (searched for *.scn) or globs
    #[arg(default_value = ".", value_name = "PATH")]
    pub paths: Vec<String>,
    /// Only scenarios whose tags or name match: `smoke and not slow`, `vip_*`, `'vip[family=ipv6]'`
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// Parameters of the scenarios
    #[command(flatten)]
    pub params: ParamArguments,
    /// How problems of a scenario are written
    #[arg(long, value_enum, default_value_t = MessageFormat::Human)]
    pub message_format: MessageFormat,
    /// Warnings are errors
    #[arg(long)]
    pub strict: bool,
    /// Refuse a missing or stale scn.lock, as where CI is set
    #[arg(long)]
    pub locked: bool,
}

/// Values of parameters.
#[derive(Debug, Clone, Default, Args)]
pub struct ParamArguments {
    /// Set a parameter
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE")]
    pub given: Vec<String>,
    /// Set parameters from a TOML file of `name = value`; `-p` goes before it
    #[arg(long = "params", value_name = "FILE")]
    pub files: Vec<String>,
}

/// How problems are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MessageFormat {
    /// With the excerpt
    Human,
    /// One line each
    Short,
    /// One JSON object a line
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// GitLab's Code Quality report
    Gitlab,
}

/// How patient the judgement of the program's own lateness is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Timing {
    /// The tolerance as written
    Normal,
    /// Four times the tolerance: shared build machines
    Ci,
    /// Ten times the tolerance: emulated machines
    Emulated,
}

impl Timing {
    /// What the tolerance is multiplied by.
    #[must_use]
    pub fn factor(self) -> u32 {
        match self {
            Timing::Normal => 1,
            Timing::Ci => 4,
            Timing::Emulated => 10,
        }
    }
}

/// Who carries out what links do to packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// As scn likes: the wire
    Auto,
    /// scn itself, in user space: it can do everything, and the seed decides the fate of each packet
    Wire,
    /// The kernel's netem: what it can't do as the language says is refused
    Kernel,
}

impl Engine {
    /// The same for the planner.
    #[must_use]
    pub fn choice(self) -> EngineChoice {
        match self {
            Engine::Auto => EngineChoice::Auto,
            Engine::Wire => EngineChoice::Wire,
            Engine::Kernel => EngineChoice::Kernel,
        }
    }
}

/// Which runs' links are captured whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CaptureRuns {
    /// Those that do not pass; the files of the others are removed
    Failed,
    /// All
    All,
}

/// `scn run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Which.
    #[command(flatten)]
    pub selection: Selection,
    /// All randomness comes from it; printed if not given
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Also write the JUnit file here
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Also write the HTML page here
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Also write the results as JSON here; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Folder for records and reports
    #[arg(long, value_name = "FOLDER", default_value = "scn-results")]
    pub out: PathBuf,
    /// Scenarios that run at the same time; they share the machine and may disturb each other's timing
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// How late the program itself may be before it spoils a verdict
    #[arg(long, value_enum, default_value_t = Timing::Normal)]
    pub timing: Timing,
    /// For a look at what happens: each flow does one transaction on one connection, its steps are told, and nothing is judged (exit 3)
    #[arg(long)]
    pub once: bool,
    /// Who carries out what links do to packets
    #[arg(long, value_enum, default_value_t = Engine::Auto)]
    pub engine: Engine,
    /// Keep the packets of every link, from start to end, as pcapng files beside the record
    #[arg(long, value_enum, value_name = "RUNS")]
    pub capture: Option<CaptureRuns>,
    /// Hold the network and the programs of a scenario that did not pass as they are, for `scn shell` and `scn exec`, until Enter
    #[arg(long)]
    pub keep_on_failure: bool,
    /// Hold those of every scenario when it is over, whatever became of it
    #[arg(long)]
    pub keep: bool,
    /// Hold them for no longer than this (30s, 10m); without a terminal to press Enter at it must be said
    #[arg(long, value_name = "DURATION", value_parser = crate::holding::duration)]
    pub keep_for: Option<Duration>,
}

/// `scn exec`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: those of the command, 128 and the number of the signal that ended it; 125 where there is no such node, \
126 and 127 where the command cannot be run or found there."
)]
pub struct ExecArguments {
    /// The node, as the scenario names it
    pub node: String,
    /// The run, where several are held
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// `scn shell`.
#[derive(Debug, Args)]
#[command(after_help = "The shell is that of $SHELL, or /bin/sh. Exit codes: those of the shell; 125 where there is no such node.")]
pub struct ShellArguments {
    /// The node, as the scenario names it
    pub node: String,
    /// The run, where several are held
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,
}

/// `scn check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Which.
    #[command(flatten)]
    pub selection: Selection,
    /// Mend in the files what can be mended without changing what they mean
    #[arg(long)]
    pub fix: bool,
}

/// `scn fmt`.
#[derive(Debug, Args)]
pub struct FmtArguments {
    /// Files, folders (searched for *.scn) or globs; `-` reads standard input and writes standard output
    #[arg(default_value = ".", value_name = "PATH")]
    pub paths: Vec<String>,
    /// Change nothing; name the files that would change, and exit 1 if there are any
    #[arg(long)]
    pub check: bool,
    /// Change nothing; show what would change
    #[arg(long)]
    pub diff: bool,
    /// How problems of a file are written
    #[arg(long, value_enum, default_value_t = MessageFormat::Human)]
    pub message_format: MessageFormat,
}

/// `scn plan`.
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// Which.
    #[command(flatten)]
    pub selection: Selection,
    /// All randomness comes from it
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// What is printed of each plan
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
    /// How late the program itself may be before it spoils a verdict
    #[arg(long, value_enum, default_value_t = Timing::Normal)]
    pub timing: Timing,
    /// Who carries out what links do to packets
    #[arg(long, value_enum, default_value_t = Engine::Auto)]
    pub engine: Engine,
    /// Print the JSON Schema of `--format json` and nothing else
    #[arg(long)]
    pub schema: bool,
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// All of it, for people
    Text,
    /// All of it, for programs
    Json,
    /// The network as a graph for GraphViz
    Dot,
    /// The network of one scenario as a picture
    Svg,
}

/// `scn diff`.
#[derive(Debug, Args)]
#[command(after_help = "A side is a file, a folder, or REVISION:PATH of the git repository here. \
Exit codes: 0 nothing changed, 1 something did, 2 a side can't be read or has errors.")]
pub struct DiffArguments {
    /// The old side and the new side; with --git the path that is compared [default: .]
    #[arg(num_args = 0..=2, value_name = "SIDE")]
    pub sides: Vec<String>,
    /// Compare this commit with the files as they are now
    #[arg(long, value_name = "REVISION")]
    pub git: Option<String>,
    /// How the changes are written
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
    /// Parameters of the scenarios, on both sides
    #[command(flatten)]
    pub params: ParamArguments,
    /// How problems of a side are written
    #[arg(long, value_enum, default_value_t = MessageFormat::Human)]
    pub message_format: MessageFormat,
    /// Refuse a missing or stale scn.lock, as where CI is set
    #[arg(long)]
    pub locked: bool,
}

/// How changes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For a terminal
    Text,
    /// For a comment at a merge request
    Markdown,
    /// For programs
    Json,
}

/// Text or JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// `scn judge`, `scn report`.
#[derive(Debug, Args)]
pub struct RecordArguments {
    /// Run records (*.run.json), or folders that hold some
    #[arg(default_value = "scn-results", value_name = "RECORD")]
    pub records: Vec<PathBuf>,
    /// Write a JUnit file
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write an HTML page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the results as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// `scn explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// A code such as scn::resolve::unknown_node; without one, all are listed
    pub code: Option<String>,
}

/// `scn help`.
#[derive(Debug, Args)]
pub struct HelpArguments {
    /// A command, `language`, or `language` and the heading of one of its sections
    #[arg(value_name = "TOPIC")]
    pub topic: Vec<String>,
}

/// `scn list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Which.
    #[command(flatten)]
    pub selection: Selection,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `scn doc`.
#[derive(Debug, Args)]
pub struct DocArguments {
    /// A file, or a module of the standard library such as std.patterns
    #[arg(value_name = "PATH|std.MODULE")]
    pub what: String,
}

/// `scn doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `scn std`.
#[derive(Debug, Args)]
pub struct StdArguments {
    /// What to show.
    #[command(subcommand)]
    pub command: StdCommand,
}

/// What `scn std` can do.
#[derive(Debug, Subcommand)]
pub enum StdCommand {
    /// List declarations with the first line of their words
    List {
        /// Only those of this module: patterns, std.links
        module: Option<String>,
        /// Text for people or JSON for programs
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Print a declaration with its words, or a whole module
    Show {
        /// sym, patterns.sym, std.patterns
        name: String,
    },
}

/// `scn add`.
#[derive(Debug, Args)]
pub struct AddArguments {
    /// The name that the library gives itself
    pub name: String,
    /// A git repository: https, ssh, or a folder
    #[arg(long, value_name = "URL", conflicts_with = "path", required_unless_present = "path")]
    pub git: Option<String>,
    /// The tag to take, such as v1.2.0
    #[arg(long, value_name = "TAG", requires = "git", conflicts_with = "rev")]
    pub tag: Option<String>,
    /// The commit to take, all 40 digits
    #[arg(long, value_name = "COMMIT", requires = "git")]
    pub rev: Option<String>,
    /// A folder on this machine
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<PathBuf>,
    /// The least version that will do, such as 1.2; without it, the newest
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
}

/// `scn update`.
#[derive(Debug, Args)]
pub struct UpdateArguments {
    /// Only these libraries
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Tell what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `scn fetch`.
#[derive(Debug, Args)]
pub struct FetchArguments {
    /// Refuse a missing or stale scn.lock, as where CI is set
    #[arg(long)]
    pub locked: bool,
}
