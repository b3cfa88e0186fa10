//! Promises of the handles, kept over real sockets on the loopback interface.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::similar_names,
    clippy::excessive_nesting,
    reason = "test code"
)]

mod cancellation;
mod closing;
mod datagrams;
mod early_data;
mod faults;
mod incoming;
mod moving;
mod network;
mod runtimes;
mod streams;
mod support;
mod tls;
