//! Locks and counters that handles and the loop share. Those of `std`, unless the models in
//! `tests/loom` try every order in which threads can use them.

#[cfg(not(quic_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic::AtomicUsize};

#[cfg(quic_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic::AtomicUsize};
