//! How files are asked for: HTTP/3, or HTTP/0.9 on streams. The handshake decides (ALPN).

use clap::ValueEnum;
use driver::{Connection, VarInt};
use h3::error::Code;

use crate::hq;

/// An application protocol that files go over.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Protocol {
    /// HTTP/3.
    H3,
    /// HTTP/0.9 on streams.
    HqInterop,
}

impl Protocol {
    /// All, the preferred one first.
    pub(crate) const ALL: [Self; 2] = [Self::H3, Self::HqInterop];

    /// What ALPN calls it.
    pub(crate) const fn alpn(self) -> &'static [u8] {
        match self {
            Self::H3 => h3_quic_core::ALPN,
            Self::HqInterop => hq::ALPN,
        }
    }

    /// The protocol that ALPN calls so.
    pub(crate) fn named(alpn: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.alpn() == alpn)
    }

    /// What the handshake agreed on, as far as it got.
    pub(crate) fn of(connection: &Connection) -> Option<Self> {
        Self::named(&connection.handshake_data()?.protocol?)
    }

    /// The code of a connection that ends without an error.
    pub(crate) fn no_error(self) -> VarInt {
        match self {
            Self::H3 => VarInt::try_from(Code::H3_NO_ERROR.value()).unwrap_or_default(),
            Self::HqInterop => VarInt::default(),
        }
    }

    /// Ends a connection because everything is done.
    pub(crate) fn close(self, connection: &Connection) {
        connection.close(self.no_error(), b"");
    }
}

/// What ALPN calls several.
pub(crate) fn names(protocols: &[Protocol]) -> Vec<&'static [u8]> {
    protocols.iter().copied().map(Protocol::alpn).collect()
}
