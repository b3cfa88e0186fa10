//! Deadlines of many connections at one endpoint: those of clients whose server does not answer.

use std::hint::black_box;
use std::time::Duration;

use quic_core::{Instant, Side};

use crate::meter::{Meter, Verb};
use crate::pipe::Pipe;
use crate::tls::Tls;

/// Time between two clients, and so between two deadlines.
const APART: Duration = Duration::from_micros(5);
/// Deadlines that expire.
const EXPIRIES: usize = 1000;
/// Times that the next deadline is asked for.
const CALLS: u64 = 1000;

/// So many clients, each of which has just sent its first packet.
fn waiting(meter: &Meter, count: usize) -> Pipe {
    let mut pipe = Pipe::new(&Tls::Null.setup());
    for _ in 0..count {
        pipe.now += APART;
        pipe.begin(meter);
        while pipe.client.send(pipe.now, meter).is_some() {}
    }
    pipe
}

/// What it takes that a deadline expires: to find the connection, to send its probe (RFC 9002
/// §6.2.4), and to know the next deadline.
pub(super) fn expiries(meter: &mut Meter, count: usize) {
    let of_one = EXPIRIES.min(count);
    for _ in 0..EXPIRIES / of_one {
        let mut pipe = waiting(meter, count);
        meter.start(|_, _| true);
        for _ in 0..of_one {
            let now = next(&pipe);
            pipe.client.expire(now, meter);
            let mut sent = 0;
            while pipe.client.send(now, meter).is_some() {
                sent += 1;
            }
            assert!(sent > 0, "no probe is sent");
        }
        meter.stop(of_one as u64);
    }
}

fn next(pipe: &Pipe) -> Instant {
    pipe.client.endpoint.poll_timeout().expect("each has a deadline")
}

/// What it takes to ask for the next deadline.
pub(super) fn deadlines(meter: &mut Meter, count: usize) {
    let pipe = waiting(meter, count);
    meter.start(|_, _| true);
    meter.part(Side::Client, Verb::Timeout, || {
        for _ in 0..CALLS {
            black_box(black_box(&pipe).client.endpoint.poll_timeout());
        }
    });
    meter.stop(CALLS);
}
