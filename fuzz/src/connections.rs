//! Connections against whoever can write any packet of the other end.

use std::sync::Arc;

use quic_core::Side;

use crate::attack::{Attack, Plan};
use crate::input::Input;
use crate::open_tls::Lies;

/// Longest transport parameters that take the place of a server's, in bytes.
const MAXIMUM_PARAMETERS: usize = 300;

fn side(byte: u8) -> Side {
    if byte & 1 == 0 { Side::Server } else { Side::Client }
}

/// Any frames after the handshake, in packets that are doubled, late, or of the wrong kind.
pub(crate) fn frames_1rtt(input: &[u8]) {
    let mut input = Input::new(input);
    let first = input.byte();
    let plan = Plan {
        reads: first & 2 == 0,
        echoes: first & 4 != 0,
        tickets: first & 8 != 0,
        ..Plan::default()
    };
    Attack::new(side(first), &plan).run(&mut input);
}

/// The same during the handshake: in every packet number space, before and after there are keys.
pub(crate) fn frames_handshake(input: &[u8]) {
    let mut input = Input::new(input);
    let first = input.byte();
    let plan = Plan {
        steps: Some(first >> 3),
        reads: first & 2 == 0,
        echoes: first & 4 != 0,
        ..Plan::default()
    };
    Attack::new(side(first), &plan).run(&mut input);
}

/// A server that lies in its handshake, and then sends what it likes.
pub(crate) fn evil_server(input: &[u8]) {
    let mut input = Input::new(input);
    let first = input.byte();
    let mut lies = Lies::default();
    if first & 1 != 0 {
        lies.more_parameters = Arc::from(input.prefixed(MAXIMUM_PARAMETERS));
    }
    if first & 2 != 0 {
        lies.parameters = Some(Arc::from(input.prefixed(MAXIMUM_PARAMETERS)));
    }
    if first & 4 != 0 {
        let flips = (0..input.byte() % 4).map(|_| (input.u16() % 1200, input.byte()));
        lies.flips = flips.collect();
    }
    let plan = Plan {
        steps: (first & 8 != 0).then_some(first >> 4),
        lies,
        reads: true,
        echoes: first & 0x40 != 0,
        tickets: first & 0x80 != 0,
    };
    Attack::new(Side::Client, &plan).run(&mut input);
}
