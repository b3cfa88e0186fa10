//! How transport parameters travel (RFC 9000 §18).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use super::{PreferredAddress, TransportParameters, VersionInformation};
use crate::net::MINIMUM_MTU;
use crate::wire::{
    ConnectionId, Reader, Side, StatelessResetToken, Truncated, Writer, varint_length,
};

/// Why the bytes are no transport parameters that `sender` may send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ParametersError(pub &'static str);

impl From<Truncated> for ParametersError {
    fn from(_: Truncated) -> Self {
        Self("transport parameters are cut off")
    }
}

/// The parameters that are understood, by their identifiers. An extension adds a line here and in
/// [`ALL`](Self::ALL), its field in [`TransportParameters`], and an arm in [`decode_one`] and
/// [`encode`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u64)]
enum Parameter {
    OriginalDestinationConnectionId = 0x00,
    MaxIdleTimeout = 0x01,
    StatelessResetToken = 0x02,
    MaxUdpPayloadSize = 0x03,
    InitialMaxData = 0x04,
    InitialMaxStreamDataBidiLocal = 0x05,
    InitialMaxStreamDataBidiRemote = 0x06,
    InitialMaxStreamDataUni = 0x07,
    InitialMaxStreamsBidi = 0x08,
    InitialMaxStreamsUni = 0x09,
    AckDelayExponent = 0x0a,
    MaxAckDelay = 0x0b,
    DisableActiveMigration = 0x0c,
    PreferredAddress = 0x0d,
    ActiveConnectionIdLimit = 0x0e,
    InitialSourceConnectionId = 0x0f,
    RetrySourceConnectionId = 0x10,
    ResetStreamAt = 0x1d,
    MaxDatagramFrameSize = 0x20,
    MinAckDelay = 0xff04_de1b,
    /// The identifier of drafts before the registration, which is what most peers know.
    EarlyResetStreamAt = 0x0017_f758_6d2c_b571,
    VersionInformation = 0x11,
    GreaseQuicBit = 0x2ab2,
}

impl Parameter {
    /// A parameter's place here is its bit in the set of those seen.
    const ALL: [Self; 23] = [
        Self::OriginalDestinationConnectionId,
        Self::MaxIdleTimeout,
        Self::StatelessResetToken,
        Self::MaxUdpPayloadSize,
        Self::InitialMaxData,
        Self::InitialMaxStreamDataBidiLocal,
        Self::InitialMaxStreamDataBidiRemote,
        Self::InitialMaxStreamDataUni,
        Self::InitialMaxStreamsBidi,
        Self::InitialMaxStreamsUni,
        Self::AckDelayExponent,
        Self::MaxAckDelay,
        Self::DisableActiveMigration,
        Self::PreferredAddress,
        Self::ActiveConnectionIdLimit,
        Self::InitialSourceConnectionId,
        Self::RetrySourceConnectionId,
        Self::ResetStreamAt,
        Self::MaxDatagramFrameSize,
        Self::MinAckDelay,
        Self::EarlyResetStreamAt,
        Self::VersionInformation,
        Self::GreaseQuicBit,
    ];

    /// The parameter with this identifier, and its bit.
    fn find(id: u64) -> Option<(Self, u32)> {
        let at = Self::ALL.iter().position(|parameter| *parameter as u64 == id)?;
        Some((*Self::ALL.get(at)?, 1 << at))
    }

    fn is_server_only(self) -> bool {
        matches!(
            self,
            Self::OriginalDestinationConnectionId
                | Self::PreferredAddress
                | Self::RetrySourceConnectionId
                | Self::StatelessResetToken
        )
    }
}

/// Decodes what `sender` sent, with all checks of RFC 9000 §7.4 and §18.2 that need no state.
///
/// Unknown parameters are ignored. That connection IDs are present and authentic
/// (RFC 9000 §7.3) is for the caller to check.
pub fn decode(bytes: &[u8], sender: Side) -> Result<TransportParameters, ParametersError> {
    let mut reader = Reader::new(bytes);
    let mut parameters = TransportParameters::default();
    let mut seen = 0;
    while !reader.is_empty() {
        let id = reader.varint()?;
        let value = reader.prefixed_bytes()?;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4.2
        //# An endpoint MUST ignore transport parameters that it does
        //# not support.
        let Some((parameter, bit)) = Parameter::find(id) else { continue };
        //= https://www.rfc-editor.org/rfc/rfc9000#section-7.4
        //# An endpoint SHOULD treat receipt of
        //# duplicate transport parameters as a connection error of type
        //# TRANSPORT_PARAMETER_ERROR.
        if seen & bit != 0 {
            return Err(ParametersError("transport parameter is repeated"));
        }
        seen |= bit;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
        //# A server MUST treat receipt of any of these transport parameters as a
        //# connection error of type TRANSPORT_PARAMETER_ERROR.
        if sender == Side::Client && parameter.is_server_only() {
            return Err(ParametersError("client sent a transport parameter of servers"));
        }
        if parameter == Parameter::VersionInformation {
            parameters.version_information = Some(VersionInformation::decode(value, sender)?);
            continue;
        }
        decode_one(&mut parameters, parameter, Value(value))?;
    }
    //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-3
    //# Endpoints that support this extension MUST treat
    //# receipt of a min_ack_delay that is greater than the max_ack_delay as
    //# a connection error of type TRANSPORT_PARAMETER_ERROR.
    let longest = parameters.max_ack_delay.saturating_mul(1000);
    if parameters.min_ack_delay.is_some_and(|minimum| minimum > longest) {
        return Err(ParametersError("min_ack_delay is above max_ack_delay"));
    }
    Ok(parameters)
}

#[expect(clippy::too_many_lines, reason = "a table: one row for each parameter")]
fn decode_one(
    parameters: &mut TransportParameters,
    parameter: Parameter,
    value: Value<'_>,
) -> Result<(), ParametersError> {
    match parameter {
        Parameter::OriginalDestinationConnectionId => {
            parameters.original_destination_connection_id = Some(value.connection_id()?);
        }
        Parameter::MaxIdleTimeout => parameters.max_idle_timeout = value.integer()?,
        Parameter::StatelessResetToken => {
            parameters.stateless_reset_token = Some(value.reset_token()?);
        }
        Parameter::MaxUdpPayloadSize => {
            parameters.max_udp_payload_size =
                value.at_least(MINIMUM_MTU.into(), "max_udp_payload_size is below 1200")?;
        }
        Parameter::InitialMaxData => parameters.initial_max_data = value.integer()?,
        Parameter::InitialMaxStreamDataBidiLocal => {
            parameters.initial_max_stream_data_bidi_local = value.integer()?;
        }
        Parameter::InitialMaxStreamDataBidiRemote => {
            parameters.initial_max_stream_data_bidi_remote = value.integer()?;
        }
        Parameter::InitialMaxStreamDataUni => {
            parameters.initial_max_stream_data_uni = value.integer()?;
        }
        Parameter::InitialMaxStreamsBidi => {
            parameters.initial_max_streams_bidi = value.stream_count()?;
        }
        Parameter::InitialMaxStreamsUni => {
            parameters.initial_max_streams_uni = value.stream_count()?;
        }
        Parameter::AckDelayExponent => {
            let exponent = value.at_most(20, "ack_delay_exponent is above 20")?;
            parameters.ack_delay_exponent = u8::try_from(exponent).unwrap_or(20);
        }
        Parameter::MaxAckDelay => {
            parameters.max_ack_delay =
                value.at_most((1 << 14) - 1, "max_ack_delay is 2^14 ms or more")?;
        }
        Parameter::DisableActiveMigration => {
            value.nothing("disable_active_migration is not empty")?;
            parameters.disable_active_migration = true;
        }
        Parameter::PreferredAddress => {
            parameters.preferred_address = Some(value.preferred_address()?);
        }
        Parameter::ActiveConnectionIdLimit => {
            parameters.active_connection_id_limit =
                //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
                //# The value of the active_connection_id_limit parameter MUST be at least
                //# 2.
                //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
                //# An endpoint that receives a value less than 2 MUST close the connection
                //# with an error of type TRANSPORT_PARAMETER_ERROR.
                value.at_least(2, "active_connection_id_limit is below 2")?;
        }
        Parameter::InitialSourceConnectionId => {
            parameters.initial_source_connection_id = Some(value.connection_id()?);
        }
        Parameter::RetrySourceConnectionId => {
            parameters.retry_source_connection_id = Some(value.connection_id()?);
        }
        Parameter::ResetStreamAt | Parameter::EarlyResetStreamAt => {
            //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-3
            //# An implementation that understands
            //# this transport parameter MUST treat the receipt of a non-empty value
            //# as a connection error of type TRANSPORT_PARAMETER_ERROR.
            value.nothing("reset_stream_at is not empty")?;
            parameters.reset_stream_at = true;
        }
        Parameter::MaxDatagramFrameSize => {
            parameters.max_datagram_frame_size = value.integer()?;
        }
        Parameter::MinAckDelay => parameters.min_ack_delay = Some(value.integer()?),
        // Who sent it matters there.
        Parameter::VersionInformation => {}
        Parameter::GreaseQuicBit => {
            //= https://www.rfc-editor.org/rfc/rfc9287#section-3
            //# The transport parameter is sent with an empty
            //# value; an endpoint that understands this transport parameter MUST
            //# treat receipt of a non-empty value of the transport parameter as a
            //# connection error of type TRANSPORT_PARAMETER_ERROR.
            value.nothing("grease_quic_bit is not empty")?;
            parameters.grease_quic_bit = true;
        }
    }
    Ok(())
}

/// The value of one parameter, all of which has to be used.
#[derive(Clone, Copy)]
struct Value<'a>(&'a [u8]);

impl Value<'_> {
    fn nothing(self, reason: &'static str) -> Result<(), ParametersError> {
        if self.0.is_empty() { Ok(()) } else { Err(ParametersError(reason)) }
    }

    fn integer(self) -> Result<u64, ParametersError> {
        const WRONG_LENGTH: ParametersError =
            ParametersError("integer does not fill its transport parameter");
        let mut reader = Reader::new(self.0);
        let value = reader.varint().map_err(|_| WRONG_LENGTH)?;
        if reader.is_empty() { Ok(value) } else { Err(WRONG_LENGTH) }
    }

    fn at_least(self, minimum: u64, reason: &'static str) -> Result<u64, ParametersError> {
        let value = self.integer()?;
        if value >= minimum { Ok(value) } else { Err(ParametersError(reason)) }
    }

    fn at_most(self, maximum: u64, reason: &'static str) -> Result<u64, ParametersError> {
        let value = self.integer()?;
        if value <= maximum { Ok(value) } else { Err(ParametersError(reason)) }
    }

    /// A limit above 2^60 would permit a stream ID that cannot be written (RFC 9000 §4.6).
    fn stream_count(self) -> Result<u64, ParametersError> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-4.6
        //# If either is received, the connection MUST be closed immediately with a
        //# connection error of type TRANSPORT_PARAMETER_ERROR if the offending
        //# value was received in a transport parameter or of type
        //# FRAME_ENCODING_ERROR if it was received in a frame; see Section 10.2.
        self.at_most(1 << 60, "initial_max_streams is above 2^60")
    }

    fn connection_id(self) -> Result<ConnectionId, ParametersError> {
        ConnectionId::new(self.0).ok_or(ParametersError("connection ID is longer than 20 bytes"))
    }

    fn reset_token(self) -> Result<StatelessResetToken, ParametersError> {
        <[u8; StatelessResetToken::LENGTH]>::try_from(self.0)
            .map(StatelessResetToken::new)
            .map_err(|_| ParametersError("stateless_reset_token does not have 16 bytes"))
    }

    fn preferred_address(self) -> Result<PreferredAddress, ParametersError> {
        const WRONG_LENGTH: ParametersError =
            ParametersError("preferred_address does not have the length of its fields");
        let mut reader = Reader::new(self.0);
        let address = read_preferred_address(&mut reader).map_err(|_| WRONG_LENGTH)?;
        if !reader.is_empty() {
            return Err(WRONG_LENGTH);
        }
        let address = address.ok_or(ParametersError("connection ID is longer than 20 bytes"))?;
        //= https://www.rfc-editor.org/rfc/rfc9000#section-18.2
        //# Similarly, a server MUST NOT include a zero-
        //# length connection ID in this transport parameter.
        if address.id.is_empty() {
            return Err(ParametersError("preferred_address has an empty connection ID"));
        }
        Ok(address)
    }
}

/// `Ok(None)`: the connection ID is too long.
fn read_preferred_address(reader: &mut Reader<'_>) -> Result<Option<PreferredAddress>, Truncated> {
    let (ipv4, port_v4) = (Ipv4Addr::from(reader.array::<4>()?), reader.u16()?);
    let (ipv6, port_v6) = (Ipv6Addr::from(reader.array::<16>()?), reader.u16()?);
    let id_length = usize::from(reader.u8()?);
    let id = ConnectionId::new(reader.bytes(id_length)?);
    let reset_token = StatelessResetToken::new(reader.array()?);
    // All zeros stand for no address (RFC 9000 §18.2). Neither half alone can be sent to either:
    // port 0 names no socket, and some systems take the unspecified address for this host.
    let ipv4 = (!ipv4.is_unspecified() && port_v4 != 0).then(|| SocketAddrV4::new(ipv4, port_v4));
    let ipv6 =
        (!ipv6.is_unspecified() && port_v6 != 0).then(|| SocketAddrV6::new(ipv6, port_v6, 0, 0));
    Ok(id.map(|id| PreferredAddress { ipv4, ipv6, id, reset_token }))
}

/// Appends the encoding of `parameters` to `out`; what has its default value is left out.
///
/// The parameters are written as they are: no value is checked.
//= https://www.rfc-editor.org/rfc/rfc9000#section-7.4
//# An endpoint MUST NOT send a parameter more than once in a given transport parameters
//# extension.
pub fn encode(parameters: &TransportParameters, out: &mut Vec<u8>) {
    let id = |id: &Option<ConnectionId>, parameter: Parameter, out: &mut Vec<u8>| {
        if let Some(id) = id {
            put(out, parameter, id.as_slice());
        }
    };
    id(
        &parameters.original_destination_connection_id,
        Parameter::OriginalDestinationConnectionId,
        out,
    );
    if let Some(token) = &parameters.stateless_reset_token {
        put(out, Parameter::StatelessResetToken, token.as_bytes());
    }
    let default = TransportParameters::default();
    for ((parameter, value), (_, default)) in
        integers(parameters).into_iter().zip(integers(&default))
    {
        if value != default {
            put_integer(out, parameter, value);
        }
    }
    if parameters.disable_active_migration {
        put(out, Parameter::DisableActiveMigration, &[]);
    }
    if let Some(address) = &parameters.preferred_address {
        put_preferred_address(out, address);
    }
    id(&parameters.initial_source_connection_id, Parameter::InitialSourceConnectionId, out);
    id(&parameters.retry_source_connection_id, Parameter::RetrySourceConnectionId, out);
    if let Some(delay) = parameters.min_ack_delay {
        put_integer(out, Parameter::MinAckDelay, delay);
    }
    if parameters.reset_stream_at {
        put(out, Parameter::ResetStreamAt, &[]);
        put(out, Parameter::EarlyResetStreamAt, &[]);
    }
    if let Some(information) = &parameters.version_information {
        encode_version_information(information, out);
    }
    if parameters.grease_quic_bit {
        put(out, Parameter::GreaseQuicBit, &[]);
    }
}

/// Appends this parameter alone.
pub fn encode_version_information(information: &VersionInformation, out: &mut Vec<u8>) {
    let mut value = Vec::with_capacity(32);
    information.encode(&mut value);
    put(out, Parameter::VersionInformation, &value);
}

/// Appends a parameter whose identifier is reserved, the one that `number` chooses, so that nobody
/// comes to rely on there being none but known ones (RFC 9000 §18.1).
pub fn encode_reserved(number: u8, value: &[u8], out: &mut Vec<u8>) {
    put_varint(out, 31 * u64::from(number) + 27);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// The parameters that are integers.
fn integers(parameters: &TransportParameters) -> [(Parameter, u64); 12] {
    [
        (Parameter::MaxIdleTimeout, parameters.max_idle_timeout),
        (Parameter::MaxUdpPayloadSize, parameters.max_udp_payload_size),
        (Parameter::InitialMaxData, parameters.initial_max_data),
        (Parameter::InitialMaxStreamDataBidiLocal, parameters.initial_max_stream_data_bidi_local),
        (Parameter::InitialMaxStreamDataBidiRemote, parameters.initial_max_stream_data_bidi_remote),
        (Parameter::InitialMaxStreamDataUni, parameters.initial_max_stream_data_uni),
        (Parameter::InitialMaxStreamsBidi, parameters.initial_max_streams_bidi),
        (Parameter::InitialMaxStreamsUni, parameters.initial_max_streams_uni),
        (Parameter::AckDelayExponent, u64::from(parameters.ack_delay_exponent)),
        (Parameter::MaxAckDelay, parameters.max_ack_delay),
        (Parameter::ActiveConnectionIdLimit, parameters.active_connection_id_limit),
        (Parameter::MaxDatagramFrameSize, parameters.max_datagram_frame_size),
    ]
}

fn put_preferred_address(out: &mut Vec<u8>, address: &PreferredAddress) {
    let ipv4 = address.ipv4.unwrap_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
    let ipv6 = address.ipv6.unwrap_or(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0));
    let mut value = Vec::with_capacity(64);
    value.extend_from_slice(&ipv4.ip().octets());
    value.extend_from_slice(&ipv4.port().to_be_bytes());
    value.extend_from_slice(&ipv6.ip().octets());
    value.extend_from_slice(&ipv6.port().to_be_bytes());
    // At most 20, so this is the one byte of the format.
    put_varint(&mut value, address.id.length() as u64);
    value.extend_from_slice(address.id.as_slice());
    value.extend_from_slice(address.reset_token.as_bytes());
    put(out, Parameter::PreferredAddress, &value);
}

fn put(out: &mut Vec<u8>, parameter: Parameter, value: &[u8]) {
    put_varint(out, parameter as u64);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn put_integer(out: &mut Vec<u8>, parameter: Parameter, value: u64) {
    put_varint(out, parameter as u64);
    put_varint(out, varint_length(value) as u64);
    put_varint(out, value);
}

fn put_varint(out: &mut Vec<u8>, value: u64) {
    let mut memory = [0; 8];
    let mut writer = Writer::new(&mut memory);
    // Eight bytes hold any integer, so this cannot fail.
    if writer.varint(value).is_ok() {
        out.extend_from_slice(writer.written());
    }
}

#[cfg(test)]
mod tests;
