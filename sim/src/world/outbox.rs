//! Datagrams on their way out of an endpoint, and what becomes of them if the socket does not take
//! them.

use std::net::SocketAddr;

use quic_core::EcnCodepoint;

use crate::network::{Network, Outgoing, PortId, SocketError};

/// A train of datagrams, or what is left of one.
#[derive(Clone, Debug)]
pub(super) struct Departure<P> {
    pub(super) to: SocketAddr,
    pub(super) ecn: Option<EcnCodepoint>,
    pub(super) payload: P,
    /// Length of each datagram but the last.
    pub(super) segment: usize,
}

/// What became of a departure.
#[derive(Debug, Default)]
pub(super) struct Departed {
    /// What is to be sent when the socket has room.
    pub(super) blocked: Option<Departure<Vec<u8>>>,
    /// Length of a datagram that is too large for the interface.
    pub(super) too_large: Option<usize>,
    /// Datagrams that the socket did not take.
    pub(super) refused: u64,
}

impl Departure<&[u8]> {
    /// Sends as a good driver does: what is refused as a train goes out by single datagrams, and
    /// what is refused once, which may be news of another datagram, is tried again.
    pub(super) fn send(self, network: &mut Network, port: PortId) -> Departed {
        let mut departed = Departed::default();
        let Self { to, ecn, payload, segment } = self;
        let is_train = payload.len() > segment;
        let outgoing = Outgoing { to, ecn, payload, segment_length: is_train.then_some(segment) };
        match network.send(port, outgoing) {
            Ok(()) => return departed,
            Err(SocketError::WouldBlock) => {
                let payload = payload.to_vec();
                departed.blocked = Some(Departure { to, ecn, payload, segment });
                return departed;
            }
            Err(_) => {}
        }
        let mut rest = payload;
        while !rest.is_empty() {
            let (one, others) = rest.split_at(segment.min(rest.len()));
            let single = Outgoing { to, ecn, payload: one, segment_length: None };
            let result = network.send(port, single).or_else(|error| match error {
                SocketError::WouldBlock => Err(error),
                _ => network.send(port, single),
            });
            match result {
                Ok(()) => {}
                Err(SocketError::WouldBlock) => {
                    let payload = rest.to_vec();
                    departed.blocked = Some(Departure { to, ecn, payload, segment });
                    return departed;
                }
                Err(error) => {
                    departed.refused += 1;
                    if error == SocketError::TooLarge {
                        departed.too_large = departed.too_large.max(Some(one.len()));
                    }
                }
            }
            rest = others;
        }
        departed
    }
}
