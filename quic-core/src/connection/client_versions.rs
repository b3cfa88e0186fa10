//! What a client knows of versions: what it began with, what it wants, and whether the server said
//! the same before and under the protection of the handshake (RFC 9368 §2, §4).

use crate::config::{ClientConfig, QUIC_V1, are_compatible};
use crate::error::TransportError;
use crate::wire::header::is_reserved_version;
use crate::wire::transport_parameters::VersionInformation;

/// Most versions that a client wants, and that are sent of a server's.
pub(super) const MAXIMUM_VERSIONS: usize = 16;

//= https://www.rfc-editor.org/rfc/rfc9368#section-8
//# Note that implementations that wish to use version negotiation to negotiate versions other
//# than QUIC version 1 MUST implement the version negotiation mechanism defined in this
//# document.
/// What a client knows of versions.
#[derive(Debug)]
pub(super) struct ClientVersions {
    /// That of the first flight.
    pub(super) chosen: u32,
    /// All that the connection may be in in the end, most wanted first.
    wanted: Vec<u32>,
    /// A Version Negotiation packet was acted on.
    pub(super) reacted: bool,
    /// The server's answer has shown which one it goes on in.
    pub(super) settled: bool,
}

impl ClientVersions {
    pub(super) fn new(config: &ClientConfig) -> Self {
        let chosen = config.version;
        let own = [chosen];
        let mut wanted = Vec::new();
        for version in config.versions.iter().chain(&own) {
            let is_real = *version != 0 && !is_reserved_version(*version);
            if is_real && !wanted.contains(version) && wanted.len() < MAXIMUM_VERSIONS {
                wanted.push(*version);
            }
        }
        Self { chosen, wanted, reacted: false, settled: false }
    }

    /// All that the first flight is compatible with, most wanted first.
    pub(super) fn offered(&self) -> Vec<u32> {
        let compatible = |version: &u32| are_compatible(self.chosen, *version);
        let mut offered: Vec<u32> = self.wanted.iter().copied().filter(compatible).collect();
        //= https://www.rfc-editor.org/rfc/rfc9368#section-3
        //# Note that the
        //# version in the Chosen Version field MUST be included in this list
        //# to allow the client to communicate the Chosen Version's
        //# preference.
        if !offered.contains(&self.chosen) {
            offered.push(self.chosen);
        }
        offered
    }

    pub(super) fn offers(&self, version: u32) -> bool {
        version == self.chosen
            || (self.wanted.contains(&version) && are_compatible(self.chosen, version))
    }

    /// What is selected when a server says which versions it knows.
    pub(super) fn select(&self, is_known: impl Fn(u32) -> bool) -> Option<u32> {
        //= https://www.rfc-editor.org/rfc/rfc9368#section-2.1
        //# Upon receiving the Version Negotiation packet, the client SHALL
        //# search for a version it supports in the list provided by the server.
        self.wanted.iter().copied().find(|version| is_known(*version))
    }

    /// Compares what the server says under the protection of the handshake with what happened.
    pub(super) fn check(
        &self,
        negotiated: u32,
        information: Option<&VersionInformation>,
    ) -> Result<(), TransportError> {
        let error = TransportError::version_negotiation;
        let Some(information) = information else {
            //= https://www.rfc-editor.org/rfc/rfc9368#section-8
            //# Because QUIC version 1 was the only QUIC version that was published
            //# on the IETF Standards Track before this document, it is handled
            //# specially as follows: if a client is starting a QUIC version 1
            //# connection in response to a received Version Negotiation packet and
            //# the version_information transport parameter is missing from the
            //# server's transport parameters, then the client SHALL proceed as if
            //# the server's transport parameters contained a version_information
            //# transport parameter with a Chosen Version set to 0x00000001 and an
            //# Available Version list containing exactly one version set to
            //# 0x00000001.
            let only_version_1 = VersionInformation { chosen: QUIC_V1, available: vec![QUIC_V1] };
            return match (self.reacted, self.chosen, negotiated == self.chosen) {
                (true, QUIC_V1, _) => self.check(negotiated, Some(&only_version_1)),
                (false, _, true) => Ok(()),
                //= https://www.rfc-editor.org/rfc/rfc9368#section-4
                //# Clients MUST NOT complete the handshake if they are
                //# reacting to a Version Negotiation packet and the Version Information
                //# is missing, but MAY do so otherwise.
                //= https://www.rfc-editor.org/rfc/rfc9368#section-4
                //# If a client has reacted to a Version Negotiation packet and
                //# the server's Version Information was missing, the client MUST close
                //# the connection with a version negotiation error.
                _ => Err(error("version_information is missing after the version changed")),
            };
        };
        //= https://www.rfc-editor.org/rfc/rfc9368#section-4
        //# If a client receives Version Information where the server's Chosen
        //# Version was not sent by the client as part of its Available Versions,
        //# the client MUST close the connection with a version negotiation
        //# error.
        if !self.offers(information.chosen) {
            return Err(error("the server chose a version that was not offered"));
        }
        //= https://www.rfc-editor.org/rfc/rfc9368#section-4
        //# In
        //# particular, since the client can be made aware of the
        //# Negotiated Version by the QUIC long header version during compatible
        //# version negotiation (see Section 2.3), clients MUST validate that the
        //# server's Chosen Version is equal to the Negotiated Version; if they
        //# do not match, the client MUST close the connection with a version
        //# negotiation error.
        if information.chosen != negotiated {
            return Err(error("the server chose another version than that of its packets"));
        }
        //= https://www.rfc-editor.org/rfc/rfc9368#section-4
        //# If the client received and acted on a Version Negotiation packet, the
        //# client MUST validate the server's Available Versions field.
        //= https://www.rfc-editor.org/rfc/rfc8999#section-7
        //# An endpoint MUST authenticate the semantic content of a Version Negotiation packet
        //# if it attempts a different QUIC version as a result.
        if !self.reacted {
            return Ok(());
        }
        //= https://www.rfc-editor.org/rfc/rfc9368#section-4
        //# If the client would have selected a different
        //# version, the client MUST close the connection with a version
        //# negotiation error.  In particular, if the client reacted to a Version
        //# Negotiation packet and the server's Available Versions field is
        //# empty, the client MUST close the connection with a version
        //# negotiation error.
        let available = &information.available;
        let is_known = |version| version == negotiated || available.contains(&version);
        if available.is_empty() || self.select(is_known) != Some(self.chosen) {
            return Err(error("the Version Negotiation packet was not the server's"));
        }
        Ok(())
    }
}
