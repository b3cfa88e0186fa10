//! Blocks of bulk data are used again, and given back when there is none.

use super::*;
use crate::buffer::MAX_BLOCK;

/// Lets a stream of the client send `bytes` as bursts, which the server reads at once.
fn receive(server: &mut Streams, from: u64, bursts: u64, burst: usize) {
    for index in 0..bursts {
        let offset = from + index * burst as u64;
        for piece in (0..burst).step_by(1000) {
            data(server, client_uni(0), offset + piece as u64, 1000.min(burst - piece));
        }
        let _id = server.accept(UNI);
        let mut length = 0;
        while let Ok(ReadOutcome::Data(chunk)) = server.recv_stream(client_uni(0)).read_chunk(9000)
        {
            length += chunk.len();
        }
        assert_eq!(length, burst);
        let _credit = packet(server);
    }
}

#[test]
fn a_download_in_bursts_keeps_the_blocks_of_one_and_one_more() {
    let mut server = server();
    receive(&mut server, 0, 20, 100_000);
    assert!((2..=3).contains(&server.recv_pool.len()), "{} blocks", server.recv_pool.len());
    assert!(server.buffered_bytes() < MAX_BLOCK);
}

#[test]
fn messages_after_a_download_keep_no_block_and_neither_does_silence() {
    let mut server = server();
    receive(&mut server, 0, 20, 100_000);
    receive(&mut server, 2_000_000, 8, 1000);
    assert_eq!(server.recv_pool.len(), 0);
    receive(&mut server, 2_008_000, 20, 100_000);
    assert!(server.recv_pool.len() > 0);
    server.on_quiet();
    assert_eq!(server.recv_pool.len(), 0);
}

#[test]
fn the_end_of_the_last_stream_leaves_no_block() {
    let mut server = server();
    receive(&mut server, 0, 20, 100_000);
    stream_frame(&mut server, client_uni(0), 2_000_000, 0, true).unwrap();
    assert_eq!(read_all(&mut server, client_uni(0)), (Vec::new(), Ok(())));
    assert_eq!(server.recv_pool.len(), 0);
}

#[test]
fn blocks_of_written_data_are_kept_until_all_is_acknowledged() {
    let mut client = client();
    let id = client.open(UNI).unwrap();
    assert_eq!(client.send_stream(id).write(&vec![7; 250_000]), Ok(250_000));
    let mut packets = Vec::new();
    while let Some(packet) = packet(&mut client) {
        packets.push(packet);
    }
    let last = packets.pop().unwrap();
    for sent in packets.into_iter().flat_map(|packet| packet.sent) {
        fate(&mut client, sent, true);
    }
    assert_eq!(client.send_pool.len(), 3);
    for sent in last.sent {
        fate(&mut client, sent, true);
    }
    assert_eq!(client.send_pool.len(), 0);
    assert_eq!(client.buffered_bytes(), 0);
}
