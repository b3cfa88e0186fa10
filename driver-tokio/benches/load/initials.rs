//! First datagrams of clients that never existed.

use std::net::SocketAddr;
use std::sync::Arc;

use driver_tokio::ClientConfig;
use quic_core::crypto::SeededRandom;
use quic_core::{
    Connect, Instant, Multiplexer as _, PacketHandlerManager as _, PacketHandlerMap, PathAddresses,
    SocketMultiplexer, TransmitBuffer,
};

/// So many of them, each with connection IDs of its own, and valid in every respect.
pub(crate) fn make(count: usize, server: SocketAddr, config: ClientConfig) -> Vec<Vec<u8>> {
    let config = Arc::new(config);
    let seeds = (0..count).map(|number| {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
        seed
    });
    seeds.filter_map(|seed| first_datagram(seed, server, &config)).collect()
}

fn first_datagram(
    seed: [u8; 32],
    server: SocketAddr,
    config: &Arc<ClientConfig>,
) -> Option<Vec<u8>> {
    let random = SeededRandom::from_seed(seed);
    let mut client = SocketMultiplexer::<PacketHandlerMap>::with_random(random);
    let local = SocketAddr::new([127, 0, 0, 1].into(), 1);
    let socket = client.add_socket(local, Arc::default()).ok()?;
    let path = PathAddresses { socket, local_ip: None, remote: server };
    let now = Instant::from_nanos(1);
    let connect = Connect { path, server_name: "localhost", config: Arc::clone(config) };
    client.manager(socket)?.connect(now, connect).ok()?;
    let mut memory = vec![0; 1500];
    let mut buffer = TransmitBuffer::new(&mut memory, 1);
    let length = client.poll_transmit(now, socket, &mut buffer)?.length;
    memory.truncate(length);
    Some(memory)
}
