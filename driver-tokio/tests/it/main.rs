//! What is tokio's own. What every driver keeps is in `tests/tests/conformance`.
#![expect(clippy::panic, clippy::unwrap_used, reason = "test code")]

mod faults;
mod network;
#[cfg(unix)]
mod restart;
mod runtimes;
mod streams;
mod support;
mod tls;
