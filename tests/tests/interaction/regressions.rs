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
