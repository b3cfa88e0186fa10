//! Two whole connections, wired without a network, one of which can be made to lie.

mod acknowledgments;
mod costs;
mod early_data;
mod early_packets;
mod extensions;
mod frame_rules;
mod frame_table;
mod frame_types;
mod handshake_rules;
mod hostile_paths;
mod migration;
mod pair;
mod parameter_rules;
mod resets;
mod retry_rules;
mod rules;
mod sending;
mod version_rules;

use pair::Pair;
