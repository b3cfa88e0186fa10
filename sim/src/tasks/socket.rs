//! Sockets of the simulated network, for endpoints.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use driver::{Arrivals, AsyncSocket, Outgoing, Train};

use super::host::Host;
use super::surroundings::Surroundings;
use crate::network::{self, PortId, SocketError};

/// A UDP socket of a host, for an [`Endpoint`](super::Endpoint). Closed when it is dropped.
pub struct Socket {
    surroundings: Arc<Surroundings>,
    port: PortId,
    address: SocketAddr,
    maximum_segments: NonZeroUsize,
    /// Memory for one train.
    train: Mutex<Vec<u8>>,
}

impl Socket {
    /// A socket that is bound to `address`. With an unspecified IP address, it gets one of the
    /// host's own, and with port 0 any port.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] if the address is taken.
    pub fn bind(host: &Host, address: SocketAddr) -> io::Result<Self> {
        let bound = host.with_network(|network| {
            let port = network.bind(host.id(), address)?;
            Ok((port, network.address(port)))
        });
        let (port, address) = bound.map_err(|error: network::BindError| {
            io::Error::new(io::ErrorKind::AddrInUse, error.to_string())
        })?;
        let surroundings = Arc::clone(&host.surroundings);
        let train = Mutex::default();
        Ok(Self { surroundings, port, address, maximum_segments: SEGMENTS, train })
    }

    /// Another socket on the same address: see [`Network::share`](network::Network::share).
    #[must_use]
    pub fn share(&self) -> Self {
        let surroundings = Arc::clone(&self.surroundings);
        let port = surroundings.with_network(|network| network.share(self.port));
        let Self { address, maximum_segments, .. } = *self;
        Self { surroundings, port, address, maximum_segments, train: Mutex::default() }
    }

    /// The same, taking at most so many datagrams in one call (GSO). At first, 64.
    #[must_use]
    pub fn with_maximum_segments(mut self, maximum_segments: NonZeroUsize) -> Self {
        self.maximum_segments = maximum_segments;
        self
    }

    /// What the network knows it by: its buffer and its faults are there.
    pub fn port(&self) -> PortId {
        self.port
    }
}

impl driver::Socket for Socket {
    fn receive(&self, arrivals: &mut Arrivals) -> io::Result<()> {
        let mut memory = self.train.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.clear();
        let mut received = Err(io::ErrorKind::WouldBlock.into());
        while arrivals.has_room() {
            let arrival = self.surroundings.with_network(|it| it.receive(self.port, &mut memory));
            let arrival = match arrival {
                Ok(arrival) => arrival,
                // What was received before is not lost; the error is, as one of the system would.
                Err(_) if received.is_ok() => break,
                Err(error) => return Err(translate(error)),
            };
            let length = arrival.segment_length.unwrap_or(memory.len());
            let mut train = Train::new(arrival.from, &memory, length);
            train.ecn = arrival.ecn;
            train.local_ip = Some(arrival.to.ip());
            arrivals.push_train(&train);
            received = Ok(());
        }
        received
    }

    fn send(&self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        let datagram = network::Outgoing {
            to: outgoing.destination,
            ecn: outgoing.ecn,
            payload: outgoing.contents,
            segment_length: outgoing.segment_length,
        };
        self.surroundings.with_network(|it| it.send(self.port, datagram)).map_err(translate)
    }

    fn maximum_segments(&self) -> NonZeroUsize {
        self.maximum_segments
    }
}

impl AsyncSocket for Socket {
    fn poll_receivable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.surroundings.poll_receivable(self.port, cx)
    }

    fn poll_sendable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.surroundings.poll_sendable(self.port, cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.surroundings.close(self.port);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&self.address).finish()
    }
}

fn translate(error: SocketError) -> io::Error {
    match error {
        SocketError::TooLarge => Outgoing::too_large(),
        error => io::ErrorKind::from(error).into(),
    }
}

/// Datagrams that a socket takes in one call at first, as in Linux.
const SEGMENTS: NonZeroUsize = NonZeroUsize::new(64).unwrap();
