//! The limits that a client keeps to in 0-RTT (RFC 9000 §7.4.1).

use super::TransportParameters;
use crate::wire::{Reader, Truncated};

/// How many limits there are.
const LIMITS: usize = 9;

/// The values of a server that the client may use up before it hears of new ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EarlyLimits([u64; LIMITS]);

impl EarlyLimits {
    /// Length of the encoding, in bytes.
    pub const LENGTH: usize = LIMITS * 8;

    /// Whether none of the limits is smaller than it was `before`.
    pub fn covers(&self, before: &Self) -> bool {
        self.0.iter().zip(&before.0).all(|(now, before)| now >= before)
    }

    /// The limits as bytes, to keep them with a ticket.
    pub fn encode(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().flat_map(|limit| limit.to_be_bytes())
    }

    /// What [`encode`](Self::encode) made.
    pub fn decode(bytes: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(bytes);
        let mut limits = [0; LIMITS];
        for limit in &mut limits {
            *limit = u64::from_be_bytes(reader.array()?);
        }
        Ok(Self(limits))
    }
}

impl From<&TransportParameters> for EarlyLimits {
    fn from(parameters: &TransportParameters) -> Self {
        Self([
            parameters.active_connection_id_limit,
            parameters.initial_max_data,
            parameters.initial_max_stream_data_bidi_local,
            parameters.initial_max_stream_data_bidi_remote,
            parameters.initial_max_stream_data_uni,
            parameters.initial_max_streams_bidi,
            parameters.initial_max_streams_uni,
            //= https://www.rfc-editor.org/rfc/rfc9221#section-3
            //# When servers decide to accept 0-RTT data, they MUST send a
            //# max_datagram_frame_size transport parameter greater than or equal to
            //# the value they sent to the client in the connection where they sent
            //# them the NewSessionTicket message.
            parameters.max_datagram_frame_size,
            //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-3
            //# When using 0-RTT, both endpoints MUST remember whether this extension
            //# was advertised by the server (Section 7.4.1 of [RFC9000]).
            //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-3
            //# When the server accepts 0-RTT data, the server MUST NOT disable this
            //# extension on the resumed connection.
            u64::from(parameters.reset_stream_at),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters of which one of the limits is `value`, and all others are 10.
    fn with(index: usize, value: u64) -> EarlyLimits {
        let mut limits = [10; LIMITS];
        limits[index] = value;
        let [ids, data, local, remote, uni, bidi_streams, uni_streams, datagram, reset] = limits;
        EarlyLimits::from(&TransportParameters {
            active_connection_id_limit: ids,
            initial_max_data: data,
            initial_max_stream_data_bidi_local: local,
            initial_max_stream_data_bidi_remote: remote,
            initial_max_stream_data_uni: uni,
            initial_max_streams_bidi: bidi_streams,
            initial_max_streams_uni: uni_streams,
            max_datagram_frame_size: datagram,
            reset_stream_at: reset >= 10,
            ..TransportParameters::default()
        })
    }

    //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-3
    //= type=test
    //# When using 0-RTT, both endpoints MUST remember whether this extension
    //# was advertised by the server (Section 7.4.1 of [RFC9000]).
    //= https://www.rfc-editor.org/rfc/draft-ietf-quic-reliable-stream-reset#section-3
    //= type=test
    //# When the server accepts 0-RTT data, the server MUST NOT disable this
    //# extension on the resumed connection.
    //= https://www.rfc-editor.org/rfc/rfc9221#section-3
    //= type=test
    //# When servers decide to accept 0-RTT data, they MUST send a
    //# max_datagram_frame_size transport parameter greater than or equal to the
    //# value they sent to the client in the connection where they sent them the
    //# NewSessionTicket message.
    #[test]
    fn each_limit_counts() {
        for index in 0..LIMITS {
            let same = with(index, 10);
            assert!(with(index, 10).covers(&same) && with(index, 11).covers(&same));
            assert!(!with(index, 9).covers(&same), "limit {index} was reduced");
        }
    }

    #[test]
    fn limits_come_out_of_their_encoding() {
        for index in 0..LIMITS {
            let limits = with(index, u64::MAX - 1);
            let bytes: Vec<u8> = limits.encode().collect();
            assert_eq!(bytes.len(), EarlyLimits::LENGTH);
            assert_eq!(EarlyLimits::decode(&bytes).unwrap(), limits);
            assert!(EarlyLimits::decode(&bytes[1..]).is_err());
        }
    }
}
