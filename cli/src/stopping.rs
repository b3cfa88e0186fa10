//! How a server ends: it begins nothing more, and finishes what goes on.

use tokio::sync::watch;

/// Tells all connections of a server that it stops.
#[derive(Debug)]
pub(crate) struct Stopping(watch::Sender<bool>);

/// What a connection hears of it. Everybody who has one is waited for.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stopping {
    /// A server that goes on as yet.
    pub(crate) fn new() -> (Self, Stop) {
        let (told, heard) = watch::channel(false);
        (Self(told), Stop(heard))
    }

    /// Tells everybody, and waits until nobody is left.
    pub(crate) async fn finish(self) {
        self.0.send_replace(true);
        self.0.closed().await;
    }
}

impl Stop {
    /// Waits until the server stops. Cancel safe.
    pub(crate) async fn told(&mut self) {
        // A server that is gone has stopped as well.
        let _: Result<_, watch::error::RecvError> = self.0.wait_for(|told| *told).await;
    }
}

/// Counts what goes on.
#[derive(Debug)]
pub(crate) struct Busy(watch::Sender<()>);

/// Something that goes on, until it is dropped.
#[derive(Debug)]
pub(crate) struct Work {
    _counted: watch::Receiver<()>,
}

impl Busy {
    /// Nothing as yet.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    /// Something more.
    pub(crate) fn begin(&self) -> Work {
        Work { _counted: self.0.subscribe() }
    }

    /// Waits until nothing goes on. Cancel safe.
    pub(crate) async fn done(&self) {
        self.0.closed().await;
    }
}
