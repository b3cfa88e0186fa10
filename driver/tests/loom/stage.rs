//! Two endpoints, the wire between them, and their loops, which a model turns as it likes.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use driver::{
    Arrivals, Arrived, Clock, Connection, Endpoint, EndpointConfig, EndpointOptions, Instant,
    Outgoing, Progress, Pump, Socket, TimeSource,
};
use quic_sim::pair::{CLIENT, SERVER, SERVER_NAME, Setup};

/// Datagrams on their way to one end. No lock that a model tries orders of: threads that meet here
/// meet at the handles anyway.
type Queue = Arc<Mutex<VecDeque<Vec<u8>>>>;

/// Time stands still.
#[derive(Debug)]
struct Still;

impl TimeSource for Still {
    fn now(&self) -> Instant {
        Instant::from_nanos(1_000_000_000)
    }
}

struct Wire {
    incoming: Queue,
    outgoing: Queue,
    remote: SocketAddr,
}

impl Socket for Wire {
    fn receive(&self, arrivals: &mut Arrivals) -> io::Result<()> {
        arrivals.clear();
        let datagram = self.incoming.lock().unwrap().pop_front();
        let datagram = datagram.ok_or(io::ErrorKind::WouldBlock)?;
        arrivals.push(self.remote, &datagram, datagram.len());
        Ok(())
    }

    fn send(&self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        let length = outgoing.segment_length.unwrap_or(outgoing.contents.len());
        let datagrams = outgoing.contents.chunks(length).map(<[u8]>::to_vec);
        self.outgoing.lock().unwrap().extend(datagrams);
        Ok(())
    }

    fn maximum_segments(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }
}

/// The loop of an endpoint.
pub(crate) struct Loop {
    pump: Pump,
    wire: Wire,
}

impl Loop {
    /// Does what the application asked for until now, and sends all there is.
    pub(crate) fn send(&mut self) {
        let _: Poll<bool> = self.poll_changed(&mut Context::from_waker(Waker::noop()));
        self.send_all();
    }

    fn send_all(&mut self) {
        let Some(id) = self.pump.first_socket() else { return };
        while self.pump.send(self.pump.now(), id, &self.wire) == Progress::More {}
    }

    /// Receives all there is.
    pub(crate) fn receive(&mut self) {
        let Some(id) = self.pump.first_socket() else { return };
        while !self.wire.incoming.lock().unwrap().is_empty() {
            let _: Arrived = self.pump.receive(self.pump.now(), id, &self.wire);
        }
    }

    fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.pump.poll_changed(cx)
    }

    /// Waits until the application did something, then sends; returns whether it still holds
    /// anything.
    pub(crate) fn wait_and_send(&mut self) -> bool {
        let held = loom::future::block_on(std::future::poll_fn(|cx| self.poll_changed(cx)));
        self.send_all();
        held
    }
}

/// A client and a server that know each other.
pub(crate) struct Stage {
    pub(crate) client: (Endpoint, Loop),
    pub(crate) server: (Endpoint, Loop),
    config: driver::ClientConfig,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::of(&Setup::new(1))
    }

    pub(crate) fn of(setup: &Setup) -> Self {
        let (to_client, to_server) = (Queue::default(), Queue::default());
        let end = |local, remote, server, seed, incoming: &Queue, outgoing: &Queue| {
            let mut config = EndpointConfig::default();
            config.keyring.clone_from(&setup.server_endpoint.keyring);
            let options = EndpointOptions::new(config)
                .with_server(server)
                .with_clock(Clock::of(Arc::new(Still)))
                .with_seed([seed; 32]);
            let (endpoint, pump) = Endpoint::new(local, options).unwrap();
            let (incoming, outgoing) = (Arc::clone(incoming), Arc::clone(outgoing));
            (endpoint, Loop { pump, wire: Wire { incoming, outgoing, remote } })
        };
        let server = Arc::try_unwrap(setup.server_config()).ok();
        Self {
            client: end(CLIENT, SERVER, None, 1, &to_client, &to_server),
            server: end(SERVER, CLIENT, server, 2, &to_server, &to_client),
            config: Arc::try_unwrap(setup.client_config()).unwrap(),
        }
    }

    /// Turns both loops until nothing is on its way.
    pub(crate) fn settle(&mut self) {
        loop {
            for end in [&mut self.client.1, &mut self.server.1] {
                end.receive();
                end.send();
            }
            let busy = [&self.client.1, &self.server.1];
            if busy.iter().all(|end| end.wire.incoming.lock().unwrap().is_empty()) {
                return;
            }
        }
    }

    /// Turns both loops until `future` is ready.
    pub(crate) fn drive<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            self.settle();
        }
    }

    /// Begins to connect.
    pub(crate) fn connect(&self) -> driver::Connecting {
        self.client.0.connect_with(self.config.clone(), SERVER, SERVER_NAME).unwrap()
    }

    /// A connection, at the client and at the server.
    pub(crate) fn connected(&mut self) -> (Connection, Connection) {
        let connecting = self.connect();
        let endpoint = self.server.0.clone();
        let accept = async { endpoint.accept().await.unwrap().await.unwrap() };
        let (server, client) = self.drive(async { (accept.await, connecting.await.unwrap()) });
        self.settle();
        (client, server)
    }
}
