//! How a target has to react, and how it did.

use std::fmt;

use quic_core::TransportErrorCode;

/// What the RFCs ask of the target.
#[derive(Clone, Copy, Debug)]
pub enum Reaction {
    /// It closes the connection with an error of the transport. The type of the frame that caused
    /// it, where one did, is this one or 0, which stands for an unknown one (RFC 9000 §19.19).
    Close {
        /// The error code.
        code: TransportErrorCode,
        /// The type of the frame that caused it.
        frame_type: Option<u64>,
    },
    /// It goes on: the handshake completes, and a PING is acknowledged.
    Ignored,
    /// Nothing comes back, neither at once nor later; a server serves others.
    Silence,
    /// It answers with Version Negotiation: IDs mirrored, not the version that was sent in it.
    VersionNegotiation,
    /// It answers with a Retry whose tag is right.
    Retry,
    /// It answers with a stateless reset that is shorter than what it answers to, or with one whose
    /// token it has told.
    StatelessReset,
    /// It stays up, sends at most so many bytes from the attack on, and serves others.
    Bounded {
        /// The bytes of all its datagrams.
        bytes: u64,
    },
    /// It never sends more than three times the bytes that it got (RFC 9000 §8.1).
    Unamplified,
    /// The RFC permits each of these.
    OneOf(&'static [Self], Permission),
}

/// The sentence of an RFC by which a target may choose.
#[derive(Clone, Copy, Debug)]
pub struct Permission(pub &'static str);

impl Reaction {
    /// A close with this code, caused by no frame in particular.
    pub const fn close(code: TransportErrorCode) -> Self {
        Self::Close { code, frame_type: None }
    }

    /// A close with this code, caused by a frame of this type.
    pub const fn close_in(code: TransportErrorCode, frame_type: u64) -> Self {
        Self::Close { code, frame_type: Some(frame_type) }
    }

    /// A close with the code of a TLS alert (RFC 9001 §4.8).
    pub const fn alert(alert: u8) -> Self {
        Self::close(TransportErrorCode::crypto(alert))
    }
}

impl fmt::Display for Reaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Close { code, frame_type: Some(frame_type) } => {
                write!(f, "close {code} in frame 0x{frame_type:02x}")
            }
            Self::Close { code, frame_type: None } => write!(f, "close {code}"),
            Self::Ignored => f.write_str("ignored"),
            Self::Silence => f.write_str("silence"),
            Self::VersionNegotiation => f.write_str("Version Negotiation"),
            Self::Retry => f.write_str("Retry"),
            Self::StatelessReset => f.write_str("stateless reset"),
            Self::Bounded { bytes } => write!(f, "at most {bytes} bytes, others served"),
            Self::Unamplified => f.write_str("at most 3 times the bytes"),
            Self::OneOf(reactions, _) => {
                for (index, reaction) in reactions.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", or " };
                    write!(f, "{comma}{reaction}")?;
                }
                Ok(())
            }
        }
    }
}

/// What became of a case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The target reacted as it has to.
    Passed,
    /// It did not.
    Failed,
    /// The attack could not be set up. This is no pass.
    NotSetUp,
    /// The target does not offer what the case is about, which it need not.
    Lacking,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::NotSetUp => "NOT SET UP",
            Self::Lacking => "not offered",
        })
    }
}

/// A case that was run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the target did.
    pub seen: String,
    /// Whether that is what it has to do.
    pub verdict: Verdict,
}
