//! What a client can make one connection hold, against what its configuration says.

use std::time::Duration;

use bytes::Bytes;
use quic_core::{ConnectionMemory, Direction, OutgoingDatagram, StreamId, TransportConfig};
use quic_evil::Payload;

use super::victim::{Evil, Victim, address};

/// A configuration by name.
type Named = (&'static str, fn(&mut TransportConfig));

const CONFIGURATIONS: [Named; 3] = [("tiny", tiny), ("default", |_| {}), ("large", large)];

fn tiny(transport: &mut TransportConfig) {
    transport.max_concurrent_bidi_streams = 4;
    transport.max_concurrent_uni_streams = 2;
    transport.stream_receive_window = 8 << 10;
    transport.max_stream_receive_window = 8 << 10;
    transport.receive_window = 16 << 10;
    transport.max_receive_window = 16 << 10;
    transport.send_window = 16 << 10;
    transport.datagram_receive_bytes = 4 << 10;
    transport.datagram_receive_count = 16;
    transport.datagram_send_bytes = 4 << 10;
    transport.datagram_send_count = 16;
}

fn large(transport: &mut TransportConfig) {
    transport.max_concurrent_bidi_streams = 5000;
    transport.stream_receive_window = 16 << 20;
    transport.receive_window = 24 << 20;
    transport.datagram_receive_bytes = 1 << 20;
    transport.datagram_receive_count = 8192;
}

/// What one attack came to.
struct Loot {
    name: String,
    /// Heap that the attack took.
    taken: u64,
    /// What the part that it is about may take.
    part: u64,
}

impl Loot {
    /// The part is not exceeded, and at least so many percent of it are reached.
    fn check(&self, least: u64) {
        let Self { name, taken, part } = self;
        let share = 100 * taken / part;
        eprintln!("{name}: {taken} bytes of {part}, {share} %");
        assert!(taken <= part, "{name}: {taken} bytes, not {part}");
        assert!(share >= least, "{name}: only {share} % of {part} bytes, is the bound too loose?");
    }
}

/// Lets a client do its worst to a new connection; what of its memory that is about.
fn rob(
    (name, change): Named,
    part: impl Fn(&ConnectionMemory) -> u64,
    attack: impl FnOnce(&mut Victim, &mut Evil),
) -> Loot {
    let mut victim = Victim::new(change, |_| {});
    // The first connection pays for what all share.
    victim.connect(1);
    let without = victim.heap();
    let mut evil = victim.connect(2);
    victim.streams.clear();
    let before = victim.heap();
    attack(&mut victim, &mut evil);
    victim.assert_alive();
    let (bound, _) = victim.bounds(0);
    let all = victim.heap() - without;
    assert!(all <= bound.total(), "{name}: {all} bytes, not\n{bound}");
    Loot { name: name.to_owned(), taken: victim.heap() - before, part: part(&bound) }
}

/// The client's stream with this index.
fn bidi(index: u64) -> u64 {
    4 * index
}

/// What is done with one stream.
struct Cut {
    /// Bytes of the window that are used up.
    size: u64,
    /// One byte comes first for each large block.
    sparse: bool,
    /// A hundred times so many bytes come with a gap before each.
    hundred_gaps: u64,
}

/// Uses a stream up: what costs most first, then all the rest, in packets.
fn cut_up(victim: &mut Victim, evil: &mut Evil, id: u64, cut: &Cut) {
    const LARGE: u64 = 64 << 10;
    for block in 1..=cut.size / LARGE {
        if cut.sparse {
            victim.attack(evil, Payload::new().stream(id, block * LARGE - 1, b"x", false));
        }
    }
    let hundreds = cut.hundred_gaps.min(cut.size / 200);
    for hundred in 0..hundreds {
        let offsets = (0..100).map(|gap| 1 + 200 * hundred + 2 * gap);
        let payload = Payload::new();
        let frames = offsets.fold(payload, |frames, at| frames.stream(id, at, b"x", false));
        victim.attack(evil, frames);
    }
    for offset in (200 * hundreds + 1..cut.size).step_by(1000) {
        let length = usize::try_from((cut.size - offset).min(1000)).unwrap();
        victim.attack(evil, Payload::new().stream(id, offset, &[7; 1000][..length], false));
    }
}

#[test]
fn data_that_is_not_read_takes_no_more_than_is_said_however_it_is_cut_up() {
    for (configuration, least) in CONFIGURATIONS.into_iter().zip([5, 12, 20]) {
        let part = |bound: &ConnectionMemory| bound.received - bound.window_growth + bound.streams;
        let loot = rob(configuration, part, |victim, evil| {
            let transport = victim.config.transport.clone();
            let window = transport.stream_receive_window.min(transport.receive_window);
            let mut left = transport.receive_window;
            for index in 0..transport.max_concurrent_bidi_streams.min(100) {
                let size = window.min(left);
                left -= size;
                // Large blocks are made until they take half of the window.
                let sparse = index * window < transport.receive_window / 2;
                let cut = Cut { size, sparse, hundred_gaps: if index < 3 { 7 } else { 1 } };
                cut_up(victim, evil, bidi(index), &cut);
            }
        });
        loot.check(least);
    }
}

#[test]
fn streams_that_are_hardly_used_take_no_more_than_is_said() {
    for (configuration, least) in CONFIGURATIONS.into_iter().zip([1, 7, 12]) {
        let loot = rob(
            configuration,
            |bound| bound.streams + bound.received - bound.window_growth,
            |victim, evil| {
                let transport = victim.config.transport.clone();
                for index in 0..transport.max_concurrent_bidi_streams {
                    let id = bidi(index);
                    // A second block is made for the byte behind the first, which is full.
                    let first = Payload::new().stream(id, 0, &[7; 32], false);
                    let second = first.stream(id, 32, b"x", false);
                    // And one behind a gap, on as many streams as there may be gaps.
                    let gap = second.clone().stream(id, 34, b"x", false);
                    victim.attack(evil, if index < 4000 { gap } else { second });
                }
                for index in 0..transport.max_concurrent_uni_streams {
                    victim.attack(evil, Payload::new().stream(bidi(index) + 2, 0, b"x", false));
                }
            },
        );
        loot.check(least);
    }
    let streams = |bound: &ConnectionMemory| bound.streams;
    let loot = rob(("many", large), streams, |victim, evil| {
        for index in 0..5000 {
            victim.attack(evil, Payload::new().stream(bidi(index), 0, b"", false));
        }
        victim.act(|connection| {
            assert!(connection.accept_stream(Direction::Bidirectional).is_none());
        });
    });
    loot.check(40);
}

/// The application has as much to send as there is room for, on all streams that there are.
fn write_all(victim: &mut Victim, streams: &[StreamId], length: usize) {
    let data = vec![7; length];
    victim.act(|connection| {
        for id in streams {
            let _: Result<_, _> = connection.send_stream(*id).write(&data);
        }
    });
}

#[test]
fn data_that_is_not_acknowledged_takes_no_more_than_is_said() {
    for (configuration, least) in CONFIGURATIONS.into_iter().zip([1, 25, 2]) {
        let loot = rob(
            configuration,
            |bound| bound.sent + bound.packets,
            |victim, evil| {
                let streams = victim.config.transport.max_concurrent_bidi_streams.min(100);
                for index in 0..streams {
                    victim.attack(evil, Payload::new().stream(bidi(index), 0, b"x", true));
                }
                let streams = victim.streams.clone();
                // A client that acknowledges everything makes the window large, and then nothing.
                for round in 0..600 {
                    write_all(victim, &streams, 40_000);
                    evil.peer.acks = round < 400;
                    victim.exchange(evil);
                }
            },
        );
        loot.check(least);
    }
}

/// The application sends as many datagrams of so many bytes as there is room for.
fn send_datagrams(victim: &mut Victim, length: usize) {
    let data = vec![7; length];
    victim.act(|connection| {
        // Made here, where it is counted.
        let datagram = || OutgoingDatagram::new(Bytes::copy_from_slice(&data));
        while connection.datagrams().try_send(datagram()).is_ok() {}
    });
}

#[test]
fn packets_that_are_not_acknowledged_take_no_more_than_is_said() {
    for (configuration, least) in CONFIGURATIONS.into_iter().zip([12, 30, 30]) {
        let loot = rob(
            configuration,
            |bound| bound.packets,
            |victim, evil| {
                // A client that acknowledges everything, from far away, makes the window large; then it
                // acknowledges nothing more of what is small.
                for round in 0..1000_u32 {
                    send_datagrams(victim, if round < 600 { 1100 } else { 0 });
                    victim.now += Duration::from_millis(1);
                    victim.handle_timeout();
                    victim.answer(evil);
                    if round < 600 && round % 20 == 19 {
                        victim.exchange(evil);
                    }
                }
            },
        );
        loot.check(least);
    }
}

#[test]
fn datagrams_that_are_not_read_take_no_more_than_is_said() {
    for (configuration, least) in CONFIGURATIONS.into_iter().zip([3, 25, 40]) {
        for length in [0, 100, 1000] {
            let datagrams = |bound: &ConnectionMemory| bound.datagrams;
            let loot = rob(configuration, datagrams, |victim, evil| {
                let data = vec![7; length];
                for _ in 0..9000 {
                    victim.attack(evil, Payload::new().numbers(&[0x31]).prefixed(&data));
                }
            });
            loot.check(if length == 1000 { least } else { 0 });
        }
    }
}

#[test]
fn handshake_data_above_gaps_takes_no_more_than_is_said() {
    let handshake = |bound: &ConnectionMemory| bound.handshake;
    let loot = rob(("default", |_| {}), handshake, |victim, evil| {
        for gap in 0..1000 {
            victim.attack(evil, Payload::new().crypto(1 + 16 * gap, b"x"));
        }
    });
    loot.check(8);
}

#[test]
fn connection_ids_paths_and_numbers_take_no_more_than_is_said() {
    let parts = |bound: &ConnectionMemory| bound.state + bound.paths + bound.packets;
    let loot = rob(("default", |_| {}), parts, |victim, evil| {
        for sequence in [2, 4, 6] {
            victim.attack(evil, Payload::new().new_connection_id(sequence, 0));
        }
        for round in 0..200_u16 {
            // Every second number is missing, and each packet comes from somewhere else.
            let space = quic_core::wire::SpaceId::Application;
            let number = evil.peer.next_number(space);
            evil.peer.skip_to(space, number + 1);
            evil.address = address(100 + round);
            victim.attack(evil, Payload::new().numbers(&[0x1a]).raw(&[7; 8]).raw(&[0; 1100]));
            victim.mute();
            victim.now += Duration::from_millis(1);
            victim.handle_timeout();
        }
    });
    loot.check(0);
}

#[test]
fn packets_before_their_keys_take_no_more_than_is_said() {
    let mut victim = Victim::new(|_| {}, |_| {});
    victim.connect(1);
    let mut evil = victim.client(2);
    let before = victim.heap();
    for (_, datagram) in evil.peer.flush().unwrap() {
        victim.deliver(evil.address, &datagram);
    }
    victim.answer(&mut evil);
    let half_open = victim.heap() - before;
    // The client keeps its Finished to itself, and sends what only it could make readable.
    let mut early = vec![0x40];
    early.extend_from_slice(evil.peer.target_id());
    early.resize(1400, 0x55);
    (0..100).for_each(|_| victim.deliver(evil.address, &early));
    let (bound, _) = victim.bounds(0);
    let taken = victim.heap() - before - half_open;
    let loot = Loot { name: "early".to_owned(), taken, part: bound.state };
    loot.check(30);
    assert!(half_open <= 8192, "{half_open} bytes");
}

#[test]
fn crumbs_that_are_acknowledged_take_no_more_than_is_said() {
    let parts = |bound: &ConnectionMemory| bound.sent + bound.packets;
    let loot = rob(("default", |_| {}), parts, |victim, evil| {
        victim.attack(evil, Payload::new().stream(0, 0, b"x", true));
        let streams = victim.streams.clone();
        evil.peer.acks = false;
        let space = quic_core::wire::SpaceId::Application;
        for _ in 0..10_000_u32 {
            write_all(victim, &streams, 1);
            victim.exchange(evil);
            // Every second packet arrived, as far as the server hears.
            let number = evil.peer.largest_received(space).unwrap();
            if number % 2 == 0 {
                victim.attack(evil, Payload::new().ack(number, 0));
            }
        }
    });
    loot.check(0);
}

#[test]
fn streams_of_which_all_but_a_little_is_read_take_no_more_than_is_said() {
    let received = |bound: &ConnectionMemory| bound.received - bound.window_growth;
    let loot = rob(("default", |_| {}), received, |victim, evil| {
        let mut memory = vec![0; 1 << 20];
        for index in 0..30 {
            let id = bidi(index);
            for offset in (0..60_000).step_by(1000) {
                victim.attack(evil, Payload::new().stream(id, offset, &[7; 1000], false));
            }
            // Gaps that are filled but for the last, far beyond what is read.
            for gap in (0..900).chain((0..899).map(|gap| gap + 10_000)) {
                let (first, step) =
                    if gap < 10_000 { (70_001, gap) } else { (70_000, gap - 10_000) };
                victim.attack(evil, Payload::new().stream(id, first + 2 * step, b"x", false));
            }
            let stream = *victim.streams.last().unwrap();
            let wanted = &mut memory[..59_900];
            let _: Result<_, _> = victim.act(|it| it.recv_stream(stream).read(wanted));
            victim.mute();
        }
    });
    loot.check(5);
}

#[test]
fn what_a_configuration_says_follows_from_it() {
    let bound = |change: &dyn Fn(&mut TransportConfig), own_streams| {
        Victim::new(change, |_| {}).bounds(own_streams).0
    };
    let default = bound(&|_| {}, 0);
    let more_streams = bound(&|it| it.max_concurrent_bidi_streams = 1000, 0);
    assert!(more_streams.streams > default.streams && more_streams.sent > default.sent);
    assert!(bound(&|_| {}, 1000).streams > default.streams);
    let window = bound(&|it| it.max_receive_window = 48 << 20, 0);
    let growth = window.received - default.received;
    assert!((2 * (24 << 20)..49 << 20).contains(&growth), "{growth}");
    assert_eq!(window.total_at_first(), default.total_at_first());
    let boundless = bound(&|it| it.max_concurrent_uni_streams = 1 << 60, 0);
    assert_eq!(boundless.total(), u64::MAX);
    eprintln!("{default}\n{}", bound(&tiny, 0));
}
