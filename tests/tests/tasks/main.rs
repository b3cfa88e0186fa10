//! Promises of the async handles, kept in virtual time: whatever the order of what happens, whatever
//! is given up, and whatever the network does, everything comes to an end, and nothing is left.
#![expect(
    clippy::excessive_nesting,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::type_complexity,
    clippy::unwrap_used,
    reason = "test code"
)]

mod back_pressure;
mod cancellation;
mod early_data;
mod endpoints;
mod faults;
mod links;
mod opening;
mod order;
mod shards;
mod streams;
mod support;
