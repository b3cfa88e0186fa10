//! Which versions of QUIC a server speaks.

use super::{QUIC_V1, QUIC_V2};

//= https://www.rfc-editor.org/rfc/rfc9368#section-5
//# To avoid that, server operators SHOULD perform a three-step process when they wish to add or
//# remove support for a version, as described below.
/// Which versions of QUIC a server speaks, and says to speak (RFC 9368 §5).
///
/// The three lists differ only while a deployment of several servers learns, or forgets, a
/// version. To add one, add it to `accepted` on all servers, then to `offered` on all, then to
/// `deployed` on all; to remove one, go the other way. Wait between the steps for as long as a
/// packet can be on its way, about a minute.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServerVersions {
    /// Those in which clients may connect, most wanted first. Default: 1 and 2.
    pub accepted: Vec<u32>,
    /// Those that clients are told of that come with an unknown version. Default: 1 and 2.
    pub offered: Vec<u32>,
    /// Those that every server of the deployment speaks, as clients are told in the handshake, so
    /// that they notice when somebody made them change the version. Default: 1 and 2.
    pub deployed: Vec<u32>,
    /// Who chooses among the versions that both ends can do without another round trip.
    /// Default: the client.
    pub choice: VersionChoice,
}

/// Who chooses the version of a connection whose ends can do several (RFC 9368 §2.3). The
/// connection of a client that resumes a session stays in the version that it began in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum VersionChoice {
    /// Nobody: the connection stays in the version in which the client began.
    Stay,
    /// The client: the one it wants most among those that the server accepts.
    Client,
    /// The server: the one it wants most among those that the client can do.
    Server,
}

impl ServerVersions {
    /// Accepts, offers and announces these, most wanted first; the client chooses.
    pub fn new(versions: &[u32]) -> Self {
        Self {
            accepted: versions.to_vec(),
            offered: versions.to_vec(),
            deployed: versions.to_vec(),
            choice: VersionChoice::Client,
        }
    }

    /// Whether a client may connect in this version.
    pub(crate) fn accepts(&self, version: u32) -> bool {
        self.accepted.contains(&version)
    }

    /// The version to go on in with a client that began in `original` and can do `available`.
    pub(crate) fn choose(&self, original: u32, available: &[u32]) -> u32 {
        //= https://www.rfc-editor.org/rfc/rfc9368#section-2.3
        //# In order to perform compatible version negotiation, the server MUST
        //# select one of these versions that it (1) supports and (2) knows the
        //# client's Chosen Version is compatible with.
        let fits = |version: &&u32| {
            self.accepts(**version)
                && available.contains(version)
                && are_compatible(original, **version)
        };
        let chosen = match self.choice {
            VersionChoice::Stay => None,
            VersionChoice::Client => available.iter().find(fits),
            VersionChoice::Server => self.accepted.iter().find(fits),
        };
        chosen.copied().unwrap_or(original)
    }
}

/// Whether a first flight of version `from` can be taken for one of version `to`.
pub(crate) fn are_compatible(from: u32, to: u32) -> bool {
    //= https://www.rfc-editor.org/rfc/rfc9368#section-2.2
    //# Implementations MUST NOT assume compatibility
    //# between versions unless explicitly specified.
    // RFC 9369 §4 specifies it for these.
    let known = [QUIC_V1, QUIC_V2];
    from == to || (known.contains(&from) && known.contains(&to))
}

impl Default for ServerVersions {
    fn default() -> Self {
        //= https://www.rfc-editor.org/rfc/rfc9369#section-4
        //# As this mechanism does not currently distinguish between QUIC versions, HTTP servers
        //# SHOULD support multiple versions to reduce the probability of incompatibility and
        //# the cost associated with QUIC version negotiation or TCP fallback.
        Self::new(&[QUIC_V1, QUIC_V2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: u32 = 0xface_b00c;

    #[test]
    fn who_may_choose_gets_what_it_wants_most_of_what_both_can_do() {
        //= https://www.rfc-editor.org/rfc/rfc9368#section-2.3
        //= type=test
        //# In order to perform compatible version negotiation, the server MUST select one of
        //# these versions that it (1) supports and (2) knows the client's Chosen Version is
        //# compatible with.
        use VersionChoice::{Client, Server, Stay};
        let (one, two) = (QUIC_V1, QUIC_V2);
        for (choice, accepted, original, available, expected) in [
            (Stay, &[two, one][..], one, &[two, one][..], one),
            (Client, &[one, two], one, &[two, one], two),
            (Client, &[one, two], one, &[one, two], one),
            (Client, &[one], one, &[two, one], one),
            (Server, &[two, one], one, &[one, two], two),
            (Server, &[one, two], two, &[two, one], one),
            (Server, &[two, one], one, &[one], one),
            (Server, &[OTHER, one], one, &[OTHER, one], one),
            (Client, &[one, OTHER], one, &[0x1a2a_3a4a, OTHER, one], one),
        ] {
            let versions = ServerVersions { choice, ..ServerVersions::new(accepted) };
            assert_eq!(
                versions.choose(original, available),
                expected,
                "{versions:?} {available:?}"
            );
        }
    }

    #[test]
    fn by_default_clients_start_with_what_all_servers_know_and_servers_speak_both() {
        //= https://www.rfc-editor.org/rfc/rfc9368#section-2.5
        //= type=test
        //# When the client picks its Original Version, it SHOULD try to avoid incompatible
        //# version negotiation to save a round trip.
        //= https://www.rfc-editor.org/rfc/rfc9368#section-2.5
        //= type=test
        //# Therefore, the client SHOULD pick an Original Version to maximize the combined
        //# probability that both:
        //= https://www.rfc-editor.org/rfc/rfc9369#section-4
        //= type=test
        //# As this mechanism does not currently distinguish between QUIC versions, HTTP servers
        //# SHOULD support multiple versions to reduce the probability of incompatibility and
        //# the cost associated with QUIC version negotiation or TCP fallback.
        let tls = crate::crypto::TlsClientConfig::dangerous_without_verification(&[]).unwrap();
        let transport = super::super::TransportConfig::default();
        let client = super::super::ClientConfig::new(std::sync::Arc::new(tls), transport).unwrap();
        assert_eq!((client.version, client.versions), (QUIC_V1, vec![QUIC_V1, QUIC_V2]));
        let server = ServerVersions::default();
        for list in [&server.accepted, &server.offered, &server.deployed] {
            assert_eq!(list[..], [QUIC_V1, QUIC_V2]);
        }
    }

    #[test]
    fn only_versions_of_which_it_is_specified_are_compatible() {
        //= https://www.rfc-editor.org/rfc/rfc9368#section-2.2
        //= type=test
        //# Implementations MUST NOT assume compatibility between versions unless explicitly
        //# specified.
        assert!(are_compatible(QUIC_V1, QUIC_V2) && are_compatible(QUIC_V2, QUIC_V1));
        assert!(are_compatible(OTHER, OTHER));
        assert!(!are_compatible(OTHER, QUIC_V1) && !are_compatible(QUIC_V1, OTHER));
    }
}
