//! Two endpoints and what is on its way between them, in memory and in virtual time.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quic_core::crypto::SeededRandom;
use quic_core::{
    ClientConfig, Connect, ConnectionHandle, Endpoint, EndpointConfig, Event, Instant, Side,
    TransmitBuffer, UdpDatagram,
};
use quic_sim::pair::{CLIENT, SERVER, SERVER_NAME, Setup};

use crate::meter::{Meter, Verb};

/// Time between two steps, and so the delay of each direction.
const TICK: Duration = Duration::from_millis(1);
/// Most that a train of datagrams has, in bytes: what a UDP datagram could have under IPv4.
const TRAIN: usize = 65_507;
/// Most datagrams of a train, as Linux has it.
pub(crate) const SEGMENTS: usize = 64;
/// Steps that a handshake takes at the most, and what follows it at once.
const HANDSHAKE_STEPS: usize = 20;

/// Datagrams of the same length (but for the last), as they were sent in one call.
#[derive(Debug)]
pub(crate) struct Train {
    pub(crate) payload: Vec<u8>,
    pub(crate) segment_length: Option<usize>,
}

impl Train {
    /// Its datagrams.
    pub(crate) fn datagrams(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let length = self.segment_length.unwrap_or(self.payload.len());
        self.payload.chunks(length.max(1))
    }
}

/// What an application does because of an event.
pub(crate) type OnEvent<'a> = &'a mut dyn FnMut(&mut Endpoint, Instant, ConnectionHandle, &Event);

/// One end.
#[derive(Debug)]
pub(crate) struct End {
    side: Side,
    pub(crate) endpoint: Endpoint,
    /// Where the other end is.
    peer: SocketAddr,
    /// What was sent by the other end.
    pub(crate) inbox: VecDeque<Train>,
    memory: Vec<u8>,
    /// Datagrams that are sent in one call at the most.
    pub(crate) segments: usize,
    /// Datagrams that it sent.
    pub(crate) sent: u64,
}

impl End {
    fn new(side: Side, config: EndpointConfig, seed: u64, peer: SocketAddr) -> Self {
        let mut bytes = [side as u8; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let random = SeededRandom::from_seed(bytes);
        let endpoint = Endpoint::with_config(Arc::new(config), random).expect("it is valid");
        let (inbox, memory) = (VecDeque::new(), vec![0; TRAIN]);
        Self { side, endpoint, peer, inbox, memory, segments: SEGMENTS, sent: 0 }
    }

    /// Does what is due.
    pub(crate) fn expire(&mut self, now: Instant, meter: &Meter) {
        meter.part(self.side, Verb::Timeout, || {
            if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
                self.endpoint.handle_timeout(now);
            }
        });
    }

    /// Takes a train.
    pub(crate) fn take(&mut self, now: Instant, train: &mut Train, meter: &Meter) {
        meter.part(self.side, Verb::Datagram, || {
            let mut datagram = UdpDatagram::new(self.peer, &mut train.payload);
            datagram.segment_length = train.segment_length;
            self.endpoint.handle_datagram(now, datagram);
        });
    }

    /// Takes all that was sent to it.
    pub(crate) fn take_all(&mut self, now: Instant, meter: &Meter) {
        while let Some(mut train) = self.inbox.pop_front() {
            self.take(now, &mut train, meter);
        }
    }

    /// Lets the application hear of all events.
    pub(crate) fn hear(&mut self, now: Instant, meter: &Meter, on_event: OnEvent<'_>) {
        meter.part(self.side, Verb::Application, || {
            while let Some((handle, event)) = self.endpoint.poll_event() {
                on_event(&mut self.endpoint, now, handle, &event);
            }
        });
    }

    /// Lets the application do something of its own accord.
    pub(crate) fn act<R>(&mut self, meter: &Meter, act: impl FnOnce(&mut Endpoint) -> R) -> R {
        meter.part(self.side, Verb::Application, || act(&mut self.endpoint))
    }

    /// The next train that it sends.
    pub(crate) fn send(&mut self, now: Instant, meter: &Meter) -> Option<Train> {
        let sent = meter.part(self.side, Verb::Transmit, || {
            let mut buffer = TransmitBuffer::new(&mut self.memory, self.segments);
            self.endpoint.poll_transmit(now, &mut buffer)
        })?;
        let payload = self.memory[..sent.length].to_vec();
        self.sent += sent.datagrams(&payload).len() as u64;
        Some(Train { payload, segment_length: sent.segment_length })
    }
}

/// Two ends.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) now: Instant,
    pub(crate) client: End,
    pub(crate) server: End,
    config: Arc<ClientConfig>,
}

impl Pipe {
    /// Two ends that know of no connection yet.
    pub(crate) fn new(setup: &Setup) -> Self {
        let (client, server) = (setup.client_endpoint.clone(), setup.server_endpoint.clone());
        let client = End::new(Side::Client, client, setup.seed, SERVER);
        let mut server = End::new(Side::Server, server, setup.seed, CLIENT);
        server.endpoint.listen(setup.server_config());
        let now = Instant::EPOCH + Duration::from_secs(1);
        Self { now, client, server, config: setup.client_config() }
    }

    /// Begins to connect.
    pub(crate) fn begin(&mut self, meter: &Meter) -> ConnectionHandle {
        let config = Arc::clone(&self.config);
        let target = Connect { path: SERVER.into(), server_name: SERVER_NAME, config };
        let begun = meter
            .part(Side::Client, Verb::Connect, || self.client.endpoint.connect(self.now, target));
        begun.expect("there is room")
    }

    /// Connects, and goes on until the handshake is confirmed at both ends. What the client's end
    /// calls the connection, and what the server's does.
    pub(crate) fn connect(&mut self, meter: &Meter) -> (ConnectionHandle, ConnectionHandle) {
        let client = self.begin(meter);
        let (mut connected, mut server) = (false, None);
        for _ in 0..HANDSHAKE_STEPS {
            self.step(
                meter,
                &mut |_, _, handle, event| {
                    connected |= (handle, event) == (client, &Event::Connected);
                },
                &mut |endpoint, now, handle, event| match *event {
                    Event::Incoming => endpoint.accept(now, handle).expect("it waits"),
                    Event::Connected => server = Some(handle),
                    _ => {}
                },
            );
            // The server's last words of the handshake (HANDSHAKE_DONE) are on their way.
            if let Some(server) = server.filter(|_| connected) {
                self.wait(meter, 2);
                return (client, server);
            }
        }
        panic!("there is no connection after {HANDSHAKE_STEPS} steps");
    }

    /// So many steps in which applications do nothing.
    pub(crate) fn wait(&mut self, meter: &Meter, steps: usize) {
        for _ in 0..steps {
            self.step(meter, &mut |_, _, _, _| {}, &mut |_, _, _, _| {});
        }
    }

    /// Time goes on, and both ends do what is due, take what was sent to them, let their
    /// applications act on it, and send.
    pub(crate) fn step(&mut self, meter: &Meter, on_client: OnEvent<'_>, on_server: OnEvent<'_>) {
        self.pass(meter);
        self.client.take_all(self.now, meter);
        self.client.hear(self.now, meter, on_client);
        self.server.take_all(self.now, meter);
        self.server.hear(self.now, meter, on_server);
        self.send(Side::Client, meter);
        self.send(Side::Server, meter);
    }

    /// Time goes on, and both ends do what is due.
    pub(crate) fn pass(&mut self, meter: &Meter) {
        self.now += TICK;
        self.client.expire(self.now, meter);
        self.server.expire(self.now, meter);
    }

    /// One end sends all that it may.
    pub(crate) fn send(&mut self, side: Side, meter: &Meter) {
        let now = self.now;
        let (from, to) = match side {
            Side::Client => (&mut self.client, &mut self.server),
            Side::Server => (&mut self.server, &mut self.client),
        };
        while let Some(train) = from.send(now, meter) {
            to.inbox.push_back(train);
        }
    }
}
