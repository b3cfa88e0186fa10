//! What must hold whatever happens: the invariants I1 to I37, one function each.
//!
//! Those that cannot be seen from here are checked elsewhere:
//!
//! | invariant | where |
//! | --- | --- |
//! | I5 credit of streams adds up to that of the connection | `quic_core::fuzzing::flow_control` |
//! | I8 connection IDs to retire, I11 CRYPTO bytes | unit tests of `ids`, `crypto_stream`; the evil peer |
//! | I12 heap of what is reassembled | `quic_core::fuzzing::reassembler`, `tests/tests/memory` |
//! | I14 memory after many connections | `tests/tests/memory` |
//! | I19 probes are never blocked | I21 here, unit tests of `transmit` |
//! | I24 reordering across key updates | I4 and I21 here, `tests/tests/simulated/keys.rs` |
//! | I26 both ends time out together | `tests/tests/simulated/idle.rs` |
//! | I28 bursts | `tests/tests/simulated/pacing.rs`, unit tests of `congestion` |
//! | I31 error codes | `quic-core/src/connection/tests`, the evil peer |
//! | I32, I33 handles and wakers | `driver/tests/loom` |
//! | I36 randomness comes from outside | I35 here, `tests/tests/architecture` |

mod acknowledgments;
mod challenges;
mod closing;
mod credit;
mod numbers;
mod paths;
mod senders;
mod time;

pub(super) use acknowledgments::Acknowledgments;
pub(super) use challenges::Challenges;
pub(super) use closing::Closing;
pub(super) use credit::Credit;
pub(super) use numbers::Numbers;
pub(super) use paths::{
    Amplification, Sources, i27_the_window_holds_two_packets, i30_the_mtu_is_at_least_1200,
};
pub(super) use senders::i37_who_sends_what_may_send_it_there;
pub(super) use time::{Backoff, i15_nothing_is_left_to_poll, i16_deadlines_are_to_come};
