//! What the ends say that they do: every packet that they send and take, judged as it is told.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quic_core::{
    ConnectionId, ConnectionRecorder, FrameRecord, Instant, PacketRecord, PacketType, Record,
    Recorder, SharedRecorder, Side, SocketId, Subject,
};

use super::invariants::{
    Acknowledgments, Backoff, Challenges, Closing, Credit, Numbers, Sources,
    i37_who_sends_what_may_send_it_there,
};

/// The logs of all connections. Clones are the same book.
#[derive(Clone, Debug, Default)]
pub(super) struct Book(Arc<Mutex<Pages>>);

/// What is in a book.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pub(super) logs: Vec<Log>,
    /// Where the datagram came from that is handed over now.
    pub(super) source: Option<SocketAddr>,
    /// Over which socket.
    pub(super) socket: Option<SocketId>,
    /// Broken promises.
    pub(super) violations: Vec<String>,
    /// Sources from which something came that only who receives there can have sent.
    pub(super) proofs: Vec<SocketAddr>,
    /// Challenges in what was sent last.
    asked: Vec<[u8; 8]>,
    /// Where those that were sent before went.
    challenged: BTreeMap<[u8; 8], SocketAddr>,
    /// What was told so far, so that runs can be compared.
    pub(super) digest: u64,
}

/// What one end of one connection said.
#[derive(Debug)]
pub(super) struct Log {
    /// The Destination Connection ID of the client's first Initial.
    pub(super) id: ConnectionId,
    pub(super) side: Side,
    pub(super) numbers: Numbers,
    pub(super) acknowledgments: Acknowledgments,
    pub(super) credit: Credit,
    pub(super) closing: Closing,
    pub(super) backoff: Backoff,
    pub(super) sources: Sources,
    pub(super) challenges: Challenges,
    /// Where the first packet came from.
    home: Option<SocketAddr>,
}

impl Book {
    /// To be put into a configuration.
    pub(super) fn recorder(&self) -> SharedRecorder {
        SharedRecorder::new(Arc::new(self.clone()))
    }

    /// The pages.
    pub(super) fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    /// What was sent last goes there.
    pub(super) fn on_left_for(&mut self, to: SocketAddr) {
        self.challenged.extend(self.asked.drain(..).map(|data| (data, to)));
    }
}

impl Recorder for Book {
    fn begin(&self, _: Instant, subject: &Subject) -> Option<Box<dyn ConnectionRecorder>> {
        let mut pages = self.pages();
        let index = pages.logs.len();
        pages.logs.push(Log {
            id: subject.id,
            side: subject.side,
            numbers: Numbers::default(),
            acknowledgments: Acknowledgments::default(),
            credit: Credit::default(),
            closing: Closing::default(),
            backoff: Backoff::default(),
            sources: Sources::default(),
            challenges: Challenges::default(),
            home: None,
        });
        Some(Box::new(Writer { book: self.clone(), index }))
    }
}

/// Writes one log.
struct Writer {
    book: Book,
    index: usize,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("index", &self.index).finish_non_exhaustive()
    }
}

impl ConnectionRecorder for Writer {
    fn record(&mut self, now: Instant, record: &Record<'_>) {
        let mut pages = self.book.pages();
        let pages = &mut *pages;
        let Some(log) = pages.logs.get_mut(self.index) else { return };
        let judgement = match record {
            Record::PacketSent(packet) => {
                let header = &packet.header;
                pages.digest = fold(pages.digest, [now.as_nanos(), header.number]);
                pages.asked.extend(packet.payload.frames().filter_map(|frame| match frame {
                    FrameRecord::PathChallenge { data } => Some(data),
                    _ => None,
                }));
                log.on_sent(packet)
            }
            Record::PacketReceived(packet) => {
                pages.proofs.extend(log.proved_by(packet, &pages.challenged));
                if let (Some(socket), Some(source)) = (pages.socket, pages.source) {
                    for frame in packet.payload.frames() {
                        log.challenges.on_received((socket, source), &frame);
                    }
                }
                log.on_received(packet, pages.source);
                Ok(())
            }
            Record::PacketAcked { packet_type, number } => {
                log.backoff.on_acked(space(*packet_type), *number);
                Ok(())
            }
            Record::TimerExpired { .. } => {
                log.backoff.on_timeout();
                Ok(())
            }
            Record::PacketLost(lost) => {
                log.backoff.on_lost(space(lost.packet_type), lost.number);
                Ok(())
            }
            Record::MetricsUpdated { new, .. } => {
                log.backoff.i21_acknowledgments_end_the_backoff(new.pto_count)
            }
            Record::Closed { .. } => {
                log.closing.on_closed();
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(violation) = judgement {
            let Log { id, side, .. } = log;
            pages.violations.push(format!("{side:?} of {id:?}: {violation}"));
        }
    }
}

impl Log {
    fn on_sent(&mut self, packet: &PacketRecord<'_>) -> Result<(), String> {
        let (space, number) = (space(packet.header.packet_type), packet.header.number);
        self.numbers.i2_no_packet_number_is_used_twice(space, number)?;
        for frame in packet.payload.frames() {
            i37_who_sends_what_may_send_it_there(self.side, packet.header.packet_type, &frame)?;
            self.closing.on_sent(&frame);
            self.acknowledgments.i3_acknowledges_only_what_arrived(space, &frame)?;
            Acknowledgments::i10_acknowledges_at_most_64_ranges(&frame)?;
            self.acknowledgments.i29_ecn_counts_never_shrink(space, &frame)?;
            self.credit.i6_limits_never_shrink(&frame)?;
            self.credit.i7_final_sizes_never_change(&frame)?;
            self.challenges.i9_at_most_four_challenges_wait_for_an_answer(&frame)?;
            self.closing.i17_after_the_end_only_connection_close(&frame)?;
        }
        Ok(())
    }

    fn on_received(&mut self, packet: &PacketRecord<'_>, source: Option<SocketAddr>) {
        let (space, number) = (space(packet.header.packet_type), packet.header.number);
        let is_newest = self.acknowledgments.on_received(space, number);
        let probing = packet.payload.frames().all(|frame| {
            matches!(
                frame,
                FrameRecord::Padding { .. }
                    | FrameRecord::PathChallenge { .. }
                    | FrameRecord::PathResponse { .. }
                    | FrameRecord::NewConnectionId { .. }
            )
        });
        let Some(source) = source else { return };
        self.home.get_or_insert(source);
        let is_one_rtt = packet.header.packet_type == PacketType::OneRtt;
        self.sources.on_received(source, is_one_rtt && is_newest && !probing);
    }

    /// The address at which somebody has to receive who sends this (RFC 9000 §8.1, §8.2). That of a
    /// challenge is proved wherever the answer comes from.
    fn proved_by(
        &self,
        packet: &PacketRecord<'_>,
        challenged: &BTreeMap<[u8; 8], SocketAddr>,
    ) -> Option<SocketAddr> {
        if packet.header.packet_type == PacketType::Handshake {
            // Its keys come with packets that go to where the handshake began.
            return self.home;
        }
        packet.payload.frames().find_map(|frame| match frame {
            FrameRecord::PathResponse { data } => challenged.get(&data).copied(),
            _ => None,
        })
    }
}

/// The packet number space of a packet (RFC 9000 §12.3).
fn space(packet_type: PacketType) -> usize {
    match packet_type {
        PacketType::Initial => 0,
        PacketType::Handshake => 1,
        _ => 2,
    }
}

/// A number that differs, as far as tests can see, if what was folded into it differs.
pub(super) fn fold(digest: u64, values: [u64; 2]) -> u64 {
    values.iter().fold(digest, |digest, value| {
        (digest.rotate_left(7) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}
