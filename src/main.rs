//! The `scn` command: parses the command line, hands over, and exits with what came back.

use std::process::ExitCode;

use clap::Parser as _;
use scn::arguments::Arguments;
use scn::command;
use scn::exit::Exit;

fn main() -> ExitCode {
    // A run with programs under test starts this file anew, as the first process of their namespace.
    if let Some(code) = scn_runner::lab::keep() {
        return code;
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers; everything else is a mistake. A closed pipe leaves nobody to tell.
            let _ = error.print();
            let exit = if error.use_stderr() { Exit::Invalid } else { Exit::Pass };
            return ExitCode::from(exit.code());
        }
    };
    listen_to_steps();
    let words: Vec<String> = std::env::args().skip(1).map(|word| quote(&word)).collect();
    let words = format!("scn {}", words.join(" "));
    let result = std::panic::catch_unwind(|| command::execute(arguments, &words));
    let exit = result.unwrap_or_else(|_| {
        command::tell("internal error: this is a fault of scn, not of your scenario; please report it with the lines above");
        Exit::Internal
    });
    ExitCode::from(exit.code())
}

/// `SCN_LOG=debug` shows the program's own steps on standard error; the value is a filter of the tracing crates.
fn listen_to_steps() {
    if let Ok(filter) = std::env::var("SCN_LOG") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    }
}

/// A word as a shell reads it back.
fn quote(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
