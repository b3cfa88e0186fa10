//! What is sent, where there is room for it, and what is forgotten of it.

use super::Pair;
use super::pair::{one_sent_by, sampled};
use crate::config::{CongestionAlgorithm, TransportConfig};
use crate::connection::seal::{Place, Scope};
use crate::ids::RemoteIds;
use crate::wire::{ConnectionId, SpaceId};

#[test]
fn a_probe_that_did_not_leave_is_given_up_by_the_delivery_rate_too() {
    let of_server =
        TransportConfig { congestion: CongestionAlgorithm::Bbr, ..TransportConfig::default() };
    let mut pair = Pair::started_with(TransportConfig::default(), of_server);
    pair.carry_to_client();
    pair.carry_to_server();
    let before = sampled(&pair.server);
    let probe = one_sent_by(&mut pair.server, pair.now).unwrap();
    assert!(probe.len() > 1200);
    assert_eq!(sampled(&pair.server), before + 1);
    pair.server.handle_too_large(pair.now, probe.len());
    assert_eq!(sampled(&pair.server), before);
}

#[test]
fn no_room_is_so_small_that_a_packet_in_it_ends_the_connection() {
    let mut pair = Pair::answered();
    let client = &mut pair.client;
    let long = ConnectionId::new(&[7; ConnectionId::MAXIMUM_LENGTH]).unwrap();
    client.remote_ids = RemoteIds::new(long);
    client.ids_seen.local_source = long;
    let mut memory = [0; 200];
    for space in SpaceId::ALL {
        for room in 0..memory.len() {
            client.space_mut(space).ping = true;
            let scope = Scope { now: pair.now, space, acks_only: false, ecn: None };
            let place = Place { before: 0, must_pad: false, worth_another: usize::MAX };
            let written = client.write_packet(scope, &mut memory[..room], place);
            assert!(written.is_none_or(|written| written.length <= room));
            assert!(client.ending.seal_failed.is_none(), "{space:?} in {room} bytes");
        }
    }
}

#[test]
fn the_end_of_the_handshake_is_not_announced_again_once_the_client_knows() {
    let mut pair = Pair::confirmed();
    // Another packet with it is found to be lost.
    pair.server.handshake.on_done_lost();
    assert!(!pair.server.handshake.has_frames(SpaceId::Application));
}
