//! What an endpoint needs of the runtime that it is made in.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::runtime::Handle;

/// The runtime that this is called in.
pub(crate) fn current() -> io::Result<Handle> {
    Handle::try_current().map_err(|_| {
        io::Error::other(
            "there is no tokio runtime here: make the endpoint inside of one, in a task or under \
             `Runtime::enter`",
        )
    })
}

/// Makes what belongs to a part of the runtime, which the builder of the runtime enables by
/// `method`. Tokio has no way to ask for that part, and panics without it.
pub(crate) fn with<T>(method: &'static str, make: impl FnOnce() -> T) -> io::Result<T> {
    // What `make` owns is gone after a panic, and it changes nothing else.
    catch_unwind(AssertUnwindSafe(make)).map_err(|_| {
        io::Error::other(format!(
            "the tokio runtime lacks a part: call `{method}` or `enable_all` on its builder"
        ))
    })
}
