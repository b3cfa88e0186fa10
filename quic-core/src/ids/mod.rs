//! Connection IDs in use: ours and the peer's (RFC 9000 §5.1).

mod local;
mod registrations;
mod remote;

pub(crate) use local::LocalIds;
pub(crate) use registrations::{Registration, Registrations};
pub(crate) use remote::RemoteIds;

/// Connection IDs that either end has in use at a time: what this end offers the peer as
/// active_connection_id_limit (RFC 9000 §18.2), and the most that it issues itself.
pub(crate) const ACTIVE_CONNECTION_ID_LIMIT: usize = 4;
