//! Connection IDs in use: ours and the peer's (RFC 9000 §5.1).

use crate::wire::{ConnectionId, StatelessResetToken};

/// What a connection needs its packet handler manager to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Registration {
    /// Route packets with this ID to the connection.
    AddId(ConnectionId),
    /// The peer retired this ID, or the connection is over.
    RemoveId(ConnectionId),
    /// Datagrams that end in this token reset the connection.
    AddResetToken(StatelessResetToken),
    /// The peer's ID with this token is not in use any more.
    RemoveResetToken(StatelessResetToken),
}
