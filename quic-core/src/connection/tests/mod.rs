//! Two whole connections, wired without a network, one of which can be made to lie.

mod acknowledgments;
mod costs;
mod frame_table;
mod handshake_rules;
mod pair;
mod rules;

use pair::Pair;
