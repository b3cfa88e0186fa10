//! Waiting.

use std::future::Future;
use std::time::Duration;

use super::on_smol;

/// Waits for so long.
pub(crate) async fn sleep(duration: Duration) {
    match on_smol::here() {
        Some(_) => {
            smol::Timer::after(duration).await;
        }
        None => tokio::time::sleep(duration).await,
    }
}

/// It took too long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Elapsed;

/// What comes of `future`, if it comes within `duration`.
pub(crate) async fn timeout<F: Future>(
    duration: Duration,
    future: F,
) -> Result<F::Output, Elapsed> {
    tokio::select! {
        biased;
        output = future => Ok(output),
        () = sleep(duration) => Err(Elapsed),
    }
}
