//! What datagrams cost that belong to no connection: the protocol's share, without a socket.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quic_core::crypto::{Keyring, SeededRandom};
use quic_core::{
    AddressValidation, EndpointConfig, Instant, Multiplexer as _, PacketHandlerManager as _,
    PacketHandlerMap, PathAddresses, ServerConfig, SocketId, SocketMultiplexer, TransmitBuffer,
    UdpDatagram,
};

use crate::{honest, initials, server};

/// Datagrams that are different from each other.
const DATAGRAMS: usize = 4_000;
/// Datagrams that a driver takes before it sends.
const AT_ONCE: usize = 32;
/// Each is measured so often, in turn, and the median counts.
const ROUNDS: usize = 9;

/// A kind of datagram, and the server that it meets.
struct Case {
    name: &'static str,
    server: Subject,
    datagrams: Vec<Vec<u8>>,
    rounds: Vec<Duration>,
}

/// A server without a socket.
struct Subject {
    multiplexer: SocketMultiplexer<PacketHandlerMap>,
    socket: SocketId,
    now: Instant,
}

/// Measures each kind of datagram for `time` altogether.
pub(crate) fn measure(time: Duration) {
    let address = SocketAddr::new([127, 0, 0, 1].into(), 4433);
    let initials = initials::make(DATAGRAMS, address, honest::config());
    let mut forged = initials.clone();
    forged.iter_mut().filter_map(|datagram| datagram.last_mut()).for_each(|byte| *byte ^= 1);
    let mut unknown = initials.clone();
    unknown.iter_mut().filter_map(|datagram| datagram.get_mut(1..5)).for_each(|version| {
        version.fill(0x1f);
    });
    let mut short = initials.clone();
    short.iter_mut().filter_map(|datagram| datagram.first_mut()).for_each(|byte| *byte &= 0x7f);
    let with = |validation, accept_backlog| {
        let mut config = server::config(None);
        (config.validation, config.accept_backlog) = (validation, accept_backlog);
        Subject::new(config)
    };
    let case = |name, server, datagrams| Case { name, server, datagrams, rounds: Vec::new() };
    let (always, never) = (AddressValidation::Always, AddressValidation::Never);
    let mut cases = [
        case("an Initial that is answered with Retry", with(always, 1024), initials.clone()),
        case("an Initial for a full accept queue", with(never, 0), initials),
        case("an Initial that is not authentic", with(never, 1024), forged),
        case("a version that is not spoken", with(always, 1024), unknown),
        case("a short header that nobody knows", with(always, 1024), short),
    ];
    let turns = u32::try_from(ROUNDS * cases.len()).expect("a small number");
    for _ in 0..ROUNDS {
        for case in &mut cases {
            case.run(time / turns);
        }
    }
    for case in &mut cases {
        case.rounds.sort_unstable();
        let median = case.rounds.get(ROUNDS / 2).copied().unwrap_or_default();
        println!("  {:>6} ns  {}", median.as_nanos(), case.name);
    }
}

impl Case {
    /// Meets datagrams for so long, and notes what each took.
    fn run(&mut self, time: Duration) {
        // Other programs may take the processor meanwhile.
        let (mut count, begun) = (0_u32, server::processor_time());
        let mut taken = Duration::ZERO;
        while taken < time {
            for datagrams in self.datagrams.chunks(AT_ONCE) {
                self.server.meet(datagrams, count);
                count += u32::try_from(datagrams.len()).expect("a small number");
            }
            taken = server::processor_time().saturating_sub(begun);
        }
        self.rounds.push(taken / count.max(1));
    }
}

impl Subject {
    fn new(config: ServerConfig) -> Self {
        let random = SeededRandom::from_seed([3; 32]);
        let mut multiplexer = SocketMultiplexer::<PacketHandlerMap>::with_random(random);
        let local = SocketAddr::new([127, 0, 0, 1].into(), 4433);
        let mut endpoint = EndpointConfig::default();
        endpoint.keyring = Some(Keyring::new([7; 32]));
        let socket = multiplexer.add_socket(local, Arc::new(endpoint)).expect("a socket");
        let manager = multiplexer.manager(socket).expect("a manager");
        manager.listen(Arc::new(config));
        Self { multiplexer, socket, now: Instant::from_nanos(1) }
    }

    fn meet(&mut self, datagrams: &[Vec<u8>], number: u32) {
        let mut memory = [0; 1500];
        self.now += Duration::from_micros(100);
        for (datagram, host) in datagrams.iter().zip(number..) {
            let memory = memory.get_mut(..datagram.len()).expect("room");
            memory.copy_from_slice(datagram);
            let remote = SocketAddr::new(host.to_be_bytes().into(), 4434);
            let path = PathAddresses { socket: self.socket, local_ip: None, remote };
            self.multiplexer.handle_datagram(self.now, UdpDatagram::new(path, memory));
        }
        loop {
            let mut buffer = TransmitBuffer::new(&mut memory, 1);
            let sent = self.multiplexer.poll_transmit(self.now, self.socket, &mut buffer);
            if black_box(sent).is_none() {
                return;
            }
        }
    }
}
