//! What goes wrong when a socket is called.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Duration;

use super::random::Random;

/// Why a socket did not take a datagram, or had none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SocketError {
    /// There is no room, or nothing there: wait. See
    /// [`Network::is_writable`](super::Network::is_writable).
    WouldBlock,
    /// The datagram is larger than the interface's MTU (EMSGSIZE).
    TooLarge,
    /// News that an earlier datagram met no socket (ECONNREFUSED, by ICMP).
    Refused,
    /// There is no way to the address (ENETUNREACH, EHOSTUNREACH).
    Unreachable,
    /// Anything else.
    Other(ErrorKind),
}

impl From<SocketError> for ErrorKind {
    /// The kind that the standard library has for it; [`InvalidInput`](Self::InvalidInput) for what
    /// is too large, for which it has none.
    fn from(error: SocketError) -> Self {
        match error {
            SocketError::WouldBlock => Self::WouldBlock,
            SocketError::TooLarge => Self::InvalidInput,
            SocketError::Refused => Self::ConnectionRefused,
            SocketError::Unreachable => Self::NetworkUnreachable,
            SocketError::Other(kind) => kind,
        }
    }
}

/// What goes wrong with one kind of call of a socket. Calls are counted from 0, failed ones, too.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The calls that fail, and how.
    pub calls: BTreeMap<u64, SocketError>,
    /// Probability that any other call fails, and how.
    pub chance: Option<(f64, SocketError)>,
    called: u64,
}

impl Faults {
    /// Calls so far.
    pub fn called(&self) -> u64 {
        self.called
    }

    /// Lets the next call fail.
    pub fn fail_next(&mut self, error: SocketError) {
        self.calls.insert(self.called, error);
    }

    /// Counts a call, and tells what goes wrong with it.
    pub(super) fn call(&mut self, random: &mut Random) -> Result<(), SocketError> {
        let number = self.called;
        self.called += 1;
        if let Some((probability, error)) = self.chance
            && random.chance(probability)
        {
            return Err(error);
        }
        self.calls.get(&number).map_or(Ok(()), |error| Err(*error))
    }
}

/// Time that a socket has no room after it said so.
pub(super) const BLOCKED: Duration = Duration::from_millis(1);
