//! Where an endpoint's randomness comes from unless it is given.

use std::io;

/// A seed that nobody else knows, from the system.
pub(crate) fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}
