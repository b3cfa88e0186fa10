//! Whole handshakes, at both ends, without resumption.

use crate::meter::Meter;
use crate::pipe::Pipe;
use crate::tls::Tls;

/// Handshakes that count.
const HANDSHAKES: u64 = 10;
/// Steps after which nothing more follows from a handshake.
const QUIET: usize = 100;

/// From the first packet until the handshake is confirmed at both ends (RFC 9001 §4.1.2).
pub(super) fn full(meter: &mut Meter, tls: Tls) {
    let mut pipe = Pipe::new(&tls.setup());
    for number in 0..=HANDSHAKES {
        // The first one makes what all share.
        if number > 0 {
            meter.start(|_, _| true);
        }
        pipe.connect(meter);
        meter.stop(u64::from(number > 0));
        pipe.wait(meter, QUIET);
    }
}
