//! The simulator's driver, in virtual time.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::time::Duration;

use driver::{AsyncSocket as _, EndpointConfig, EndpointOptions, Outgoing, ServerConfig, Side};
use quic_sim::network::SocketError;
use quic_sim::tasks::{Endpoint, Host, Simulation, Socket, sleep};

use super::{Driver, Task};

#[derive(Clone)]
pub(crate) struct Simulated {
    client: Host,
    server: Host,
}

pub(crate) struct SimulatedEndpoint(Endpoint);

impl Deref for SimulatedEndpoint {
    type Target = driver::Endpoint;

    fn deref(&self) -> &driver::Endpoint {
        &self.0
    }
}

impl Simulated {
    fn host(&self, side: Side) -> &Host {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }
}

impl Driver for Simulated {
    type Endpoint = SimulatedEndpoint;
    type Socket = Socket;

    fn run<F: Future<Output = ()>>(promise: impl FnOnce(Self) -> F) {
        let mut simulation = Simulation::new(1);
        simulation.shuffle();
        let (client, server) = (simulation.host(), simulation.host());
        simulation.with_network(|network| {
            for link in network.links(client.id(), server.id()) {
                link.delay = Duration::from_millis(2);
                link.rate_bytes_per_second = Some(125_000_000);
            }
        });
        simulation.block_on(promise(Self { client, server }));
        // What was left behind comes to its end by itself.
        simulation.run();
        assert_eq!(simulation.timers(), 0, "a timer is left");
    }

    fn socket(&self, side: Side, address: Option<SocketAddr>) -> io::Result<Socket> {
        Socket::bind(self.host(side), address.unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into()))
    }

    fn address(&self, socket: &Socket) -> SocketAddr {
        socket.local_addr().unwrap()
    }

    fn sharing(&self, side: Side) -> [Socket; 2] {
        let socket = self.socket(side, None).unwrap();
        [socket.share(), socket]
    }

    fn send(&self, socket: &Socket, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        driver::Socket::send(socket, &Outgoing::new(to, datagram))
    }

    fn open(&self, options: EndpointOptions, socket: Socket) -> SimulatedEndpoint {
        let host = if options.server.is_some() { &self.server } else { &self.client };
        SimulatedEndpoint(Endpoint::open(host, options, socket).unwrap())
    }

    fn faulty(&self, server: Option<ServerConfig>, percent: u32) -> driver::Endpoint {
        let side = if server.is_some() { Side::Server } else { Side::Client };
        let socket = self.socket(side, None).unwrap();
        self.client.with_network(|network| {
            let faults = network.socket(socket.port());
            let chance = Some((f64::from(percent) / 100.0, SocketError::Unreachable));
            (faults.send_faults.chance, faults.receive_faults.chance) = (chance, chance);
        });
        (*self.endpoint(EndpointConfig::default(), server, socket)).clone()
    }

    fn rebind(&self, endpoint: &SimulatedEndpoint, socket: Socket) -> io::Result<()> {
        endpoint.0.rebind(socket)
    }

    fn add_socket(&self, endpoint: &SimulatedEndpoint, socket: Socket) -> io::Result<()> {
        endpoint.0.add_socket(socket)
    }

    fn spawn_task(&self, task: Task) {
        drop(self.client.spawn(task));
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> {
        sleep(duration)
    }
}
