//! SIGINT and SIGTERM end a run in order: the name of the first one goes to everybody who listens; the second one ends the
//! process at once (the kernel frees what the run held).

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Starts to listen. Call it after [`scn_runner::lab::enter`]: it starts a thread.
///
/// # Errors
/// The kernel's, when handlers cannot be installed.
pub fn listen() -> io::Result<watch::Receiver<Option<String>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (tell, told) = watch::channel(None);
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            let mut seen = false;
            loop {
                let name = tokio::select! {
                    _ = interrupt.recv() => "SIGINT",
                    _ = terminate.recv() => "SIGTERM",
                };
                if seen {
                    die(if name == "SIGINT" { 130 } else { 143 });
                }
                seen = true;
                // Nobody listens any more when the last run is over; then there is nothing to end.
                let _ = tell.send(Some(name.to_owned()));
            }
        });
    })?;
    Ok(told)
}

/// A second signal: no more waiting.
#[expect(clippy::exit, reason = "the user asked twice; namespaces, sockets and threads are freed by the kernel")]
fn die(code: i32) -> ! {
    std::process::exit(code)
}
