//! Cases that once broke a promise.

use super::operations::{Case, Limits, Operation};
use super::play;

fn replay(limits: Limits, operations: &[Operation]) {
    play(&Case { limits, operations: operations.to_vec() });
}

#[test]
fn a_stream_is_delivered_and_the_connection_closed() {
    use Operation::{Advance, Connect, Finish, Open, Write};
    replay(
        Limits::PLAIN,
        &[
            Connect { client: 0 },
            Advance { exponent: 20 },
            Open { connection: 0, both: true },
            Write { connection: 0, stream: 0, bytes: 10_000 },
            Finish { connection: 0, stream: 0 },
        ],
    );
}

#[test]
fn the_handshake_goes_on_though_early_packets_of_the_server_fill_the_window() {
    use Operation::{Advance, Connect, Cut, Ping};
    replay(
        Limits { clients: 1, controller: 1, mtu: 1200, ids: [0, 4], ..Limits::PLAIN },
        &[
            Connect { client: 0 },
            Cut { upwards: false },
            Advance { exponent: 14 },
            Ping { connection: 1 },
            Advance { exponent: 25 },
        ],
    );
}

#[test]
fn who_comes_late_with_a_retry_token_is_told_so_by_servers_with_short_connection_ids() {
    use Operation::{Advance, Connect, Cut};
    replay(
        Limits { validate: true, ids: [0, 4], ..Limits::PLAIN },
        &[Connect { client: 0 }, Cut { upwards: true }, Advance { exponent: 24 }],
    );
}

#[test]
fn a_client_that_goes_back_to_an_address_that_its_nat_changed_is_found_without_spare_ids() {
    use Operation::{AddSocket, Advance, Connect, Cut, Migrate, Open, Rebind, Reset};
    replay(
        Limits { trains: false, ids: [4, 4], eager: false, ..Limits::PLAIN },
        &[
            Connect { client: 0 },
            Advance { exponent: 24 },
            Cut { upwards: false },
            Rebind { client: 0, socket: 0, address: false },
            Advance { exponent: 22 },
            AddSocket { client: 0 },
            Migrate { connection: 0, socket: 1 },
            Open { connection: 0, both: false },
            Rebind { client: 0, socket: 1, address: false },
            Reset { connection: 0, stream: 0 },
            Advance { exponent: 20 },
        ],
    );
}

#[test]
fn datagrams_with_late_times_do_not_hurry_a_clock_that_was_set_back() {
    use Operation::{Advance, Connect, GoBack, JumpBack, JumpForward};
    replay(
        Limits { impatient: true, ids: [4, 4], ..Limits::PLAIN },
        &[
            Connect { client: 0 },
            JumpForward { end: 1, seconds: 10 },
            Advance { exponent: 23 },
            Connect { client: 0 },
            JumpBack { end: 0, millis: 3847 },
            GoBack { end: 0, millis: 36 },
            Connect { client: 0 },
            Advance { exponent: 24 },
        ],
    );
}

#[test]
fn a_client_is_where_the_handshake_began_if_its_new_address_does_not_answer() {
    use Operation::{Advance, Connect, Cut, Ping, Rebind};
    replay(
        Limits { validate: true, ids: [0, 4], mtu: 1200, ..Limits::PLAIN },
        &[
            Connect { client: 0 },
            Advance { exponent: 15 },
            Advance { exponent: 13 },
            Rebind { client: 0, socket: 0, address: false },
            Ping { connection: 0 },
            Cut { upwards: true },
            Advance { exponent: 21 },
        ],
    );
}

#[test]
fn keys_may_be_rotated_while_clients_move_to_the_preferred_address() {
    use Operation::{Advance, Connect, Open, Restart, RotateKeys, Write};
    replay(
        Limits { preferred: true, clients: 2, ..Limits::PLAIN },
        &[
            Connect { client: 0 },
            Advance { exponent: 15 },
            RotateKeys,
            Open { connection: 0, both: true },
            Write { connection: 0, stream: 0, bytes: 20_000 },
            Advance { exponent: 20 },
            RotateKeys,
            Connect { client: 1 },
            Advance { exponent: 20 },
            Restart,
            Write { connection: 0, stream: 0, bytes: 1000 },
            Advance { exponent: 22 },
        ],
    );
}

#[test]
fn a_client_whose_nat_moves_while_its_window_is_full_is_followed_at_the_preferred_address() {
    use Operation::{Advance, Connect, Finish, Lose, Open, Rebind, Write};
    replay(
        Limits {
            seed: 10_605_284_719_386_920_678,
            clients: 1,
            streams: [1, 2],
            windows: [2003; 3],
            controller: 1,
            mtu: 1201,
            ids: [0, 4],
            segments: 1,
            trains: false,
            preferred: true,
            datagrams: false,
            pacing: false,
            ecn: false,
            resend: false,
            eager: false,
            receive_budget: 0,
            reports_local_ip: false,
            ..Limits::PLAIN
        },
        &[
            Connect { client: 0 },
            Lose { upwards: true, percent: 54 },
            Advance { exponent: 21 },
            Rebind { client: 0, socket: 0, address: false },
            Advance { exponent: 22 },
            Open { connection: 2, both: false },
            Open { connection: 0, both: false },
            Finish { connection: 6, stream: 0 },
            Write { connection: 2, stream: 0, bytes: 2003 },
        ],
    );
}

#[test]
fn keys_may_be_updated_after_an_acknowledgment_that_came_beside_a_challenge() {
    use Operation::{Advance, Connect, UpdateKeys};
    replay(
        Limits {
            streams: [1, 1],
            windows: [500; 3],
            datagrams: false,
            pacing: false,
            ecn: false,
            mtu: 1200,
            ids: [0, 4],
            segments: 1,
            eager: false,
            reports_local_ip: false,
            trains: false,
            preferred: true,
            ..Limits::PLAIN
        },
        &[
            Connect { client: 0 },
            Advance { exponent: 17 },
            UpdateKeys { connection: 1 },
            Advance { exponent: 20 },
            UpdateKeys { connection: 0 },
            Advance { exponent: 20 },
        ],
    );
}

/// The least of everything, and a server with a preferred address.
const AT_PREFERRED_ADDRESS: Limits = Limits {
    streams: [1, 1],
    windows: [500; 3],
    datagrams: false,
    pacing: false,
    ecn: false,
    resend: false,
    eager: false,
    receive_budget: 0,
    ids: [4, 4],
    segments: 1,
    reports_local_ip: false,
    trains: false,
    preferred: true,
    ..Limits::PLAIN
};

#[test]
fn a_client_whose_nat_moves_again_while_it_is_looked_for_at_the_preferred_address_is_found() {
    use Operation::{Advance, Connect, JumpForward, Open, Rebind, Write};
    replay(
        Limits { seed: 3_416_858_561_106_526_168, mtu: 1200, ..AT_PREFERRED_ADDRESS },
        &[
            Connect { client: 0 },
            Advance { exponent: 16 },
            Open { connection: 0, both: false },
            JumpForward { end: 0, seconds: 4 },
            Rebind { client: 0, socket: 0, address: false },
            Write { connection: 0, stream: 0, bytes: 1 },
            Rebind { client: 0, socket: 0, address: false },
        ],
    );
}

#[test]
fn a_client_that_the_server_often_fails_to_find_at_the_preferred_address_is_found_there() {
    use Operation::{Advance, Connect, Lose, Narrow, Open, Rebind, ResetAt};
    replay(
        Limits { seed: 4_939_037_838_177_221_920, mtu: 1201, ..AT_PREFERRED_ADDRESS },
        &[
            Connect { client: 0 },
            Connect { client: 0 },
            Rebind { client: 0, socket: 0, address: false },
            Advance { exponent: 25 },
            Lose { upwards: true, percent: 58 },
            Narrow { upwards: true, kilobytes: 32 },
            Connect { client: 0 },
            Advance { exponent: 23 },
            Open { connection: 5, both: false },
            Advance { exponent: 24 },
            ResetAt { connection: 5, stream: 0, size: 0 },
        ],
    );
}

#[test]
fn a_client_whose_newest_packet_overtakes_the_proof_of_its_path_is_followed_with_the_proof() {
    use Operation::{
        Advance, Burst, Close, Connect, Filter, Forget, Heal, Lose, Rebind, Reorder, SendDatagram,
    };
    replay(
        Limits {
            seed: 4_892_102_956_841_254_090,
            streams: [7, 1],
            mtu: 1201,
            datagrams: true,
            eager: true,
            ..AT_PREFERRED_ADDRESS
        },
        &[
            Connect { client: 0 },
            Advance { exponent: 15 },
            SendDatagram { connection: 2, bytes: 0 },
            Advance { exponent: 13 },
            Connect { client: 0 },
            Connect { client: 0 },
            Filter { client: 0, ports: false },
            Close { connection: 2 },
            Burst { upwards: true },
            Advance { exponent: 17 },
            Connect { client: 0 },
            Lose { upwards: false, percent: 29 },
            Forget { client: 0 },
            Advance { exponent: 21 },
            Heal,
            Reorder { upwards: true, percent: 2 },
            Rebind { client: 0, socket: 0, address: false },
            Advance { exponent: 20 },
        ],
    );
}

/// The least of everything, with connection IDs of which a datagram of 1,200 bytes leaves a few for
/// the last block of the AEAD.
const WITH_A_BLOCK_BEGUN: Limits = Limits { preferred: false, ..AT_PREFERRED_ADDRESS };

#[test]
fn a_path_of_1200_bytes_to_a_rebound_client_is_validated_once() {
    use Operation::{Advance, AllowStreams, Connect, Rebind};
    replay(
        Limits { seed: 96, mtu: 1200, ids: [10, 4], ..WITH_A_BLOCK_BEGUN },
        &[
            Connect { client: 0 },
            AllowStreams { connection: 0, both: false, more: 2 },
            Advance { exponent: 15 },
            Rebind { client: 0, socket: 0, address: false },
            Advance { exponent: 27 },
            Advance { exponent: 27 },
        ],
    );
}

#[test]
fn a_path_of_1200_bytes_that_a_client_moves_to_is_validated_once() {
    use Operation::{AddSocket, Advance, Connect, Migrate};
    replay(
        Limits { seed: 698_847_097_606, mtu: 1200, ids: [4, 10], ..WITH_A_BLOCK_BEGUN },
        &[
            Connect { client: 0 },
            Advance { exponent: 15 },
            Advance { exponent: 13 },
            AddSocket { client: 0 },
            Migrate { connection: 6, socket: 1 },
            Advance { exponent: 27 },
            Advance { exponent: 27 },
        ],
    );
}
