//! The versions of QUIC that an endpoint chose and could have chosen (RFC 9368 §3).

use super::codec::ParametersError;
use crate::wire::{Reader, Side};

/// What the parameter version_information holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VersionInformation {
    /// The version that the sender chose for the connection.
    pub chosen: u32,
    /// From a client, all that its first flight is compatible with, most wanted first; from a
    /// server, all that its deployment supports. Reserved ones may be among them.
    pub available: Vec<u32>,
}

impl VersionInformation {
    /// Decodes what `sender` sent.
    pub(super) fn decode(bytes: &[u8], sender: Side) -> Result<Self, ParametersError> {
        let mut reader = Reader::new(bytes);
        //= https://www.rfc-editor.org/rfc/rfc9368#section-4
        //# Both endpoints MUST parse their peer's Version Information during the
        //# handshake.  If that leads to a parsing failure (for example, if it is
        //# too short or if its length is not divisible by four), then the
        //# endpoint MUST close the connection; if the connection was using QUIC
        //# version 1, that connection closure MUST use a transport error of type
        //# TRANSPORT_PARAMETER_ERROR.
        let wrong_length = |_| ParametersError("version_information has a wrong length");
        let chosen = reader.u32().map_err(wrong_length)?;
        let mut available = Vec::with_capacity(reader.remaining() / size_of::<u32>());
        while !reader.is_empty() {
            available.push(reader.u32().map_err(wrong_length)?);
        }
        //= https://www.rfc-editor.org/rfc/rfc9368#section-4
        //# If an endpoint receives a Chosen Version
        //# equal to zero, or any Available Version equal to zero, it MUST treat
        //# it as a parsing failure.
        if chosen == 0 || available.contains(&0) {
            return Err(ParametersError("version_information has a version 0"));
        }
        //= https://www.rfc-editor.org/rfc/rfc9368#section-4
        //# If a server receives Version Information
        //# where the Chosen Version is not included in Available Versions, it
        //# MUST treat it as a parsing failure.
        if sender == Side::Client && !available.contains(&chosen) {
            return Err(ParametersError("the chosen version is none of those available"));
        }
        Ok(Self { chosen, available })
    }

    /// Appends the encoding of the value.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for version in [&self.chosen].into_iter().chain(&self.available) {
            out.extend_from_slice(&version.to_be_bytes());
        }
    }
}
