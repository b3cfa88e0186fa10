//! The address that a server would rather be talked to at (RFC 9000 §9.6).

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use super::{Connection, Role};
use crate::config::{EndpointConfig, ServerConfig};
use crate::crypto::{SeededRandom, reset_token_with};
use crate::ids::LocalIds;
use crate::instant::Instant;
use crate::net::PathAddresses;
use crate::wire::transport_parameters::PreferredAddress;

/// What a client knows of its server's preferred address, and does about it.
///
/// It is kept for this connection only.
//= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.2
//# A client
//# MUST NOT use these for other connections, including connections that
//# are resumed from the current connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Preferred {
    /// Whatever the server says is not heard.
    Unwanted,
    /// There is none, or it does not work.
    Unknown,
    /// The server told it; the handshake is going on, or there is no connection ID for it.
    Told(SocketAddr),
    /// It is being validated.
    Probed(SocketAddr),
    /// The connection moved there.
    Used,
}

impl Preferred {
    pub(super) fn new(is_wanted: bool) -> Self {
        if is_wanted { Self::Unknown } else { Self::Unwanted }
    }

    pub(super) fn is_used(self) -> bool {
        self == Self::Used
    }
}

/// What a server says of its preferred address, with an ID to be used there.
pub(super) fn offer_preferred_address(
    config: &ServerConfig,
    endpoint: &EndpointConfig,
    local_ids: &mut LocalIds,
    random: &mut SeededRandom,
) -> Option<PreferredAddress> {
    let (ipv4, ipv6) = (config.preferred_address_v4, config.preferred_address_v6);
    if (ipv4.is_none() && ipv6.is_none()) || !endpoint.permits_migration() {
        return None;
    }
    let id = local_ids.issue_preferred(|| endpoint.new_connection_id(random))?;
    let reset_token =
        endpoint.reset_token(&id).unwrap_or_else(|| reset_token_with(&random.array(), &id));
    Some(PreferredAddress { ipv4, ipv6, id, reset_token })
}

impl Connection {
    /// The server told what it prefers.
    pub(super) fn take_preferred_address(&mut self, told: &PreferredAddress) {
        let current = self.paths.active().addresses.remote;
        let Role::Client(client) = &mut self.role else { return };
        if client.preferred == Preferred::Unknown
            && let Some(address) = choose(told, current)
        {
            client.preferred = Preferred::Told(address);
        }
    }

    /// The handshake is confirmed, and perhaps there is a new connection ID: the preferred address
    /// is probed, and moved to once it answers.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.1
    //# Once the handshake is confirmed, the client SHOULD select one of the
    //# two addresses provided by the server and initiate path validation
    //# (see Section 8.2).
    pub(super) fn seek_preferred_address(&mut self, now: Instant) {
        let Role::Client(client) = &mut self.role else { return };
        let Preferred::Told(remote) = client.preferred else { return };
        let has_id = !self.remote_ids.active().is_empty() && self.remote_ids.has_spare();
        if !has_id || !self.handshake.is_confirmed() {
            return;
        }
        client.preferred = Preferred::Probed(remote);
        let path = PathAddresses { remote, ..self.paths.active().addresses };
        self.paths.probe(now, path, true, &mut self.random);
        self.settle_paths(now);
    }

    /// The client has moved while it was probing the preferred address: from here, it may be
    /// reached or not as well.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.3
    //# In this case, the client SHOULD perform path validation to both
    //# the original and preferred server address from the client's new
    //# address concurrently.
    pub(super) fn probe_preferred_from_here(&mut self, now: Instant) {
        let Role::Client(client) = &mut self.role else { return };
        if let Preferred::Probed(remote) = client.preferred {
            client.preferred = Preferred::Told(remote);
            self.paths.forget_remote(remote);
            self.seek_preferred_address(now);
        }
    }

    pub(super) fn on_moved_to_preferred(&mut self, remote: SocketAddr) {
        if let Role::Client(client) = &mut self.role
            && client.preferred == Preferred::Probed(remote)
        {
            client.preferred = Preferred::Used;
        }
    }

    /// Nobody answers there: the connection stays where it is.
    pub(super) fn on_preferred_failed(&mut self, remote: SocketAddr) {
        if let Role::Client(client) = &mut self.role
            && client.preferred == Preferred::Probed(remote)
        {
            client.preferred = Preferred::Unknown;
        }
    }
}

/// The address of the family that is in use, in the form that the socket takes.
//= https://www.rfc-editor.org/rfc/rfc9000#section-9.6.3
//# A client that migrates to a new address SHOULD use a preferred
//# address from the same address family for the server.
fn choose(told: &PreferredAddress, current: SocketAddr) -> Option<SocketAddr> {
    let v4 = told.ipv4.map(SocketAddr::V4);
    let chosen = match current.ip() {
        IpAddr::V4(_) => v4,
        IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some() => {
            told.ipv4.map(|v4| (v4.ip().to_ipv6_mapped(), v4.port()).into())
        }
        IpAddr::V6(_) => told.ipv6.map(SocketAddr::V6),
    }?;
    let ip = chosen.ip().to_canonical();
    //= https://www.rfc-editor.org/rfc/rfc9000#section-21.5.6
    //# Endpoints SHOULD NOT allow
    //# connections or migration to a loopback address if the same service
    //# was previously available at a different interface or if the address
    //# was provided by a service at a non-loopback address.
    let leads_to_itself = ip.is_loopback() && !current.ip().to_canonical().is_loopback();
    let usable = chosen.port() != 0 && !ip.is_unspecified() && !ip.is_multicast();
    (usable && !leads_to_itself && chosen != current).then_some(chosen)
}
