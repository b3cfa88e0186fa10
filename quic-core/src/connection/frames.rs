//! Table 1: what arrives, and whose it is (RFC 9000 §12.4, §19).

use smallvec::SmallVec;

use super::Connection;
use super::close::peer_close;
use super::work_account::{Work, is_costly};
use crate::error::TransportError;
use crate::instant::Instant;
use crate::wire::frame::{Frame, FrameType, Frames, PacketType, PathChallenge, Stream};
use crate::wire::{ConnectionId, Side, SpaceId};

/// PATH_CHALLENGE frames of one packet that are answered; as many answers may wait on a path.
const MAXIMUM_CHALLENGES: usize = 4;

/// An authentic packet, as far as its frames need to know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    pub(super) now: Instant,
    /// When it came: earlier than `now` if its keys came later.
    pub(super) at: Instant,
    pub(super) packet_type: PacketType,
    /// The connection ID that it was sent to.
    pub(super) destination_id: ConnectionId,
    /// The connection ID that a long header says to answer to.
    pub(super) source_id: Option<ConnectionId>,
    /// Of a long header, if it is not the version that the connection was in.
    pub(super) other_version: Option<u32>,
    /// Bytes of the protected packet.
    pub(super) length: usize,
}

impl Received {
    pub(super) fn space(&self) -> SpaceId {
        match self.packet_type {
            PacketType::Initial => SpaceId::Initial,
            PacketType::Handshake => SpaceId::Handshake,
            //= https://www.rfc-editor.org/rfc/rfc9000#section-13.2.6
            //# Packets that a client sends with 0-RTT packet protection MUST be
            //# acknowledged by the server in packets protected by 1-RTT keys.
            PacketType::ZeroRtt | PacketType::OneRtt => SpaceId::Application,
        }
    }
}

/// What the frames of a packet came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    pub(super) ack_eliciting: bool,
    /// Whether any frame is not a probing one (RFC 9000 §9.1).
    pub(super) non_probing: bool,
    /// Whether TLS has something new to work on.
    pub(super) crypto: bool,
    pub(super) work: Work,
    /// To be answered on the path it came on, once that path is judged.
    pub(super) challenges: SmallVec<[PathChallenge; MAXIMUM_CHALLENGES]>,
}

impl Contents {
    fn count(&mut self, frame: &Frame<'_>) {
        self.ack_eliciting |= frame.is_ack_eliciting();
        self.non_probing |= !frame.is_probing();
        self.crypto |= matches!(frame, Frame::Crypto(_));
        self.work.frames += 1;
        self.work.costly += u32::from(is_costly(frame.frame_type()));
        self.work.gained += frame.datagram_bytes();
        if let Frame::PathChallenge(challenge) = frame
            && self.challenges.len() < MAXIMUM_CHALLENGES
        {
            self.challenges.push(*challenge);
        }
    }

    fn count_stream(&mut self) {
        self.ack_eliciting = true;
        self.non_probing = true;
        self.work.frames += 1;
    }
}

impl Connection {
    /// Gives every frame of a packet to its owner, in order.
    pub(super) fn handle_frames(
        &mut self,
        received: &Received,
        payload: &[u8],
    ) -> Result<Contents, TransportError> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-12.4
        //# An endpoint MUST treat receipt of a packet containing no frames as a
        //# connection error of type PROTOCOL_VIOLATION.
        if payload.is_empty() {
            return Err(TransportError::protocol_violation("packet without frames"));
        }
        let mut contents = Contents::default();
        let progress_before = self.streams.progress();
        let mut frames = Frames::new(payload);
        while self.lifecycle.is_alive() && frames.remaining() > 0 {
            // With the bits of STREAM frames.
            let exact_type = frames.next_type();
            let handled = if exact_type.is_stream() {
                self.handle_next_stream(received, &mut frames, &mut contents)
            } else {
                self.handle_next_frame(received, &mut frames, &mut contents)
            };
            //= https://www.rfc-editor.org/rfc/rfc9000#section-19.19
            //# A variable-length integer encoding the type of frame
            //# that triggered the error.
            handled.map_err(|error| error.in_frame(exact_type))?;
        }
        contents.work.gained += self.streams.progress().wrapping_sub(progress_before);
        Ok(contents)
    }

    fn handle_next_stream(
        &mut self,
        received: &Received,
        frames: &mut Frames<'_>,
        contents: &mut Contents,
    ) -> Result<(), TransportError> {
        let exact_type = frames.next_type();
        let Some(stream) = frames.next_stream() else { return Ok(()) };
        let stream = stream?;
        check_permitted(received, exact_type)?;
        contents.count_stream();
        self.handle_stream(received, stream)
    }

    fn handle_next_frame(
        &mut self,
        received: &Received,
        frames: &mut Frames<'_>,
        contents: &mut Contents,
    ) -> Result<(), TransportError> {
        let Some(frame) = frames.next() else { return Ok(()) };
        let frame = frame?;
        check_permitted(received, frame.frame_type())?;
        contents.count(&frame);
        self.handle_frame(received, frame)
    }

    /// The one table of incoming frames.
    fn handle_frame(
        &mut self,
        received: &Received,
        frame: Frame<'_>,
    ) -> Result<(), TransportError> {
        match frame {
            // Challenges wait until the packet's path is judged.
            Frame::Padding | Frame::Ping | Frame::PathChallenge(_) => Ok(()),
            //= https://www.rfc-editor.org/rfc/rfc9002#section-5.3
            //# In such cases, an endpoint SHOULD subtract such local
            //# delays from its RTT sample until the handshake is confirmed.
            Frame::Ack(ack) => self.handle_ack(received.at, received.space(), &ack),
            Frame::ResetStream(frame) => self.streams.get().handle_reset_stream(frame),
            Frame::StopSending(frame) => self.streams.get().handle_stop_sending(frame),
            Frame::Crypto(frame) => self.handshake.handle_crypto(received.space(), frame),
            Frame::NewToken(frame) => self.handle_new_token(frame),
            Frame::Stream(frame) => self.handle_stream(received, frame),
            Frame::MaxData(maximum) => self.streams.get().handle_max_data(maximum),
            Frame::MaxStreamData(frame) => self.streams.get().handle_max_stream_data(frame),
            Frame::MaxStreams(frame) => self.streams.get().handle_max_streams(frame),
            Frame::DataBlocked(limit) => self.streams.get().handle_data_blocked(limit),
            Frame::StreamDataBlocked(frame) => self.streams.get().handle_stream_data_blocked(frame),
            Frame::StreamsBlocked(frame) => self.streams.get().handle_streams_blocked(frame),
            Frame::NewConnectionId(frame) => {
                self.remote_ids.handle_new_connection_id(&frame)?;
                self.refresh_path_ids();
                self.seek_preferred_address(received.now);
                Ok(())
            }
            Frame::RetireConnectionId(frame) => {
                self.local_ids.handle_retire(frame, &received.destination_id)?;
                self.issue_ids();
                Ok(())
            }
            Frame::PathResponse(frame) => {
                self.paths.handle_response(received.now, frame, &mut self.random);
                self.follow_paths(received.now)
            }
            Frame::ConnectionClose(frame) => {
                self.drain(received.now, peer_close(&frame));
                Ok(())
            }
            Frame::HandshakeDone => self.handle_handshake_done(received.now),
            Frame::ImmediateAck => {
                self.space_mut(SpaceId::Application).received.acknowledge_now();
                Ok(())
            }
            Frame::AckFrequency(frame) => {
                self.space_mut(SpaceId::Application).received.handle_ack_frequency(&frame)
            }
            Frame::ResetStreamAt(frame) => self.streams.get().handle_reset_stream_at(frame),
            Frame::Datagram(frame) => self.handle_datagram_frame(&frame),
        }
    }

    fn handle_stream(
        &mut self,
        received: &Received,
        frame: Stream<'_>,
    ) -> Result<(), TransportError> {
        let streams = self.streams.get();
        //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.3
        //# A server SHOULD treat a violation of remembered limits
        //# (Section 7.4.1) as a connection error of an appropriate type (for
        //# instance, a FLOW_CONTROL_ERROR for exceeding stream data limits).
        streams.handle_stream(frame)?;
        if received.packet_type == PacketType::ZeroRtt {
            streams.on_early_data(frame.stream_id);
        }
        Ok(())
    }

    fn handle_handshake_done(&mut self, now: Instant) -> Result<(), TransportError> {
        //= https://www.rfc-editor.org/rfc/rfc9000#section-19.20
        //# A
        //# server MUST treat receipt of a HANDSHAKE_DONE frame as a connection
        //# error of type PROTOCOL_VIOLATION.
        if self.side() == Side::Server {
            return Err(TransportError::protocol_violation("HANDSHAKE_DONE from a client"));
        }
        if !self.handshake.is_complete() {
            return Err(TransportError::protocol_violation("HANDSHAKE_DONE before the handshake"));
        }
        if self.handshake.confirm() {
            self.on_handshake_confirmed(now);
        }
        Ok(())
    }
}

/// Whether such a packet may carry the frame.
#[inline]
fn check_permitted(received: &Received, frame_type: FrameType) -> Result<(), TransportError> {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-12.4
    //# An endpoint MUST treat
    //# receipt of a frame in a packet type that is not permitted as a
    //# connection error of type PROTOCOL_VIOLATION.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-17.2.4
    //# Endpoints MUST treat receipt of Handshake packets with other frames as a
    //# connection error of type PROTOCOL_VIOLATION.
    if frame_type.is_permitted_in(received.packet_type) {
        return Ok(());
    }
    Err(TransportError::protocol_violation("frame in the wrong packet type"))
}
