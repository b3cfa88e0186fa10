//! Connection IDs in use: ours and the peer's (RFC 9000 §5.1).

mod local;
mod remote;

pub(crate) use local::LocalIds;
pub(crate) use remote::RemoteIds;

use crate::wire::{ConnectionId, StatelessResetToken};

/// Connection IDs that either end has in use at a time: what this end offers the peer as
/// active_connection_id_limit (RFC 9000 §18.2), and the most that it issues itself.
pub(crate) const ACTIVE_CONNECTION_ID_LIMIT: usize = 4;

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
