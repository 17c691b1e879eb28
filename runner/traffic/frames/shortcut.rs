//! The coming and going of a short way, on threads of their own: to be bound to an interface it waits for whoever else changes the kernel's network,
//! and to be closed for every processor to have let go of it, some 10 ms that a worker's other flows have not. In: how it is made. Out: the way, as
//! soon as there is one. Sends nothing.

use std::io;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::express::Express;

/// The short way of one run of a flow: under way itself, there, or not to be had.
#[derive(Default)]
pub struct Shortcut {
    coming: Option<oneshot::Receiver<Express>>,
    here: Option<Express>,
}

impl Shortcut {
    /// Has one made, for a flow of this name. `make` asks whether it is unwanted by now, and its error is no harm: frames go the long way then.
    pub fn made(flow: &str, make: impl FnOnce(&dyn Fn() -> bool) -> io::Result<Express> + Send + 'static) -> Shortcut {
        let (answer, coming) = oneshot::channel();
        let flow = flow.to_owned();
        tokio::task::spawn_blocking(move || match make(&|| answer.is_closed()) {
            Ok(express) => {
                tracing::debug!(flow, "frames go the short way");
                // Where nobody wants it any more it is closed here.
                drop(answer.send(express));
            }
            Err(error) => tracing::debug!(flow, %error, "frames go the long way"),
        });
        Shortcut { coming: Some(coming), here: None }
    }

    /// Looks whether it has come.
    pub fn look(&mut self) -> Option<&mut Express> {
        if let Some(coming) = &mut self.coming {
            match coming.try_recv() {
                Err(TryRecvError::Empty) => {}
                come => (self.coming, self.here) = (None, come.ok()),
            }
        }
        self.here.as_mut()
    }

    /// The way that is there.
    pub fn here(&self) -> Option<&Express> {
        self.here.as_ref()
    }

    /// The same, to be used.
    pub fn here_mut(&mut self) -> Option<&mut Express> {
        self.here.as_mut()
    }

    /// Closes it for good.
    pub fn close(&mut self) {
        let come = self.coming.take().and_then(|mut coming| {
            coming.close();
            coming.try_recv().ok()
        });
        let Some(express) = self.here.take().or(come) else { return };
        // Where nothing runs any more nobody is kept waiting.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || drop(express));
        }
    }
}

impl Drop for Shortcut {
    fn drop(&mut self) {
        self.close();
    }
}
