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
