//! What packets that belong to no connection cost.

use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use quic_core::crypto::SeededRandom;
use quic_core::{
    EndpointConfig, Instant, Keyring, Multiplexer as _, PacketHandlerManager as _,
    PacketHandlerMap, PathAddresses, ServerConfig, SocketMultiplexer, TransmitBuffer,
    TransportConfig, UdpDatagram,
};
use quic_sim::null_tls::NullTls;

/// Datagrams that open no connection, by what is wrong with them.
fn garbage() -> Vec<(&'static str, Vec<u8>)> {
    let long = |first: u8, version: u32, length: usize| {
        let mut datagram = vec![first];
        datagram.extend_from_slice(&version.to_be_bytes());
        datagram.extend_from_slice(&[8, 1, 2, 3, 4, 5, 6, 7, 8, 4, 1, 2, 3, 4]);
        datagram.resize(length, 0);
        datagram
    };
    let mut cut = long(0xc0, 1, 1200);
    // A token that is longer than the datagram.
    cut.splice(19..21, [0x7f, 0xff]);
    vec![
        ("nothing", Vec::new()),
        ("one byte", vec![0xc0]),
        ("unknown short header", vec![0x40; 100]),
        ("short header that provokes no reset", vec![0x40; 30]),
        ("no fixed bit", vec![0; 1200]),
        ("all ones, too small", vec![0xff; 1199]),
        ("Version Negotiation", long(0xc0, 0, 1200)),
        ("unknown version", long(0xc0, 0xface_b00c, 1200)),
        ("unknown version, too small", long(0xc0, 0xface_b00c, 1199)),
        ("Handshake", long(0xe0, 1, 1200)),
        ("Retry", long(0xf0, 1, 100)),
        ("Initial, too small", long(0xc0, 1, 1000)),
        ("Initial, truncated", cut),
    ]
}

#[test]
fn packets_without_a_connection_allocate_nothing() {
    let mut sockets =
        SocketMultiplexer::<PacketHandlerMap>::with_random(SeededRandom::from_seed([1; 32]));
    let mut endpoint = EndpointConfig::default();
    endpoint.keyring = Some(Keyring::new([2; 32]));
    let socket = sockets.add_socket(([192, 0, 2, 1], 443).into(), Arc::new(endpoint)).unwrap();
    let crypto = Arc::new(NullTls::default());
    let config = ServerConfig::new(crypto, TransportConfig::default(), Keyring::new([3; 32]));
    sockets.manager(socket).unwrap().listen(Arc::new(config.unwrap()));
    let remote = ([192, 0, 2, 7], 4433).into();
    let path = PathAddresses { socket, local_ip: None, remote };

    let mut memory = vec![0; 2000];
    let mut now = Instant::EPOCH;
    let mut play = |datagram: &mut [u8]| {
        now += Duration::from_secs(1);
        sockets.handle_datagram(now, UdpDatagram::new(path, datagram));
        let mut buffer = TransmitBuffer::new(&mut memory, 1);
        let mut answers = 0;
        while let Some(transmit) = sockets.poll_transmit(now, socket, &mut buffer) {
            assert!(transmit.length < 100);
            answers += 1;
        }
        assert_eq!(sockets.poll_event(), None);
        answers
    };
    // Queues and tables get their memory once.
    let warm: usize = garbage().iter_mut().map(|(_, datagram)| play(datagram)).sum();
    assert!(warm >= 2, "resets and Version Negotiation are among the answers");
    for (what, mut datagram) in garbage() {
        let cost = measure(|| {
            play(&mut datagram);
        });
        assert_eq!(cost.count_total, 0, "{what}");
    }
}
