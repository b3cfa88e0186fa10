//! Names for what nearly every case needs.

pub(super) use std::time::Duration;

pub(super) use quic_core::TransportErrorCode as Code;
pub(super) use quic_core::wire::SpaceId;
pub(super) use quic_core::wire::frame::Frame;

pub(super) use crate::case::Attack::{Frames, FramesIn, Parameters, Steps};
pub(super) use crate::case::{Attack, Case, Needs};
pub(super) use crate::obstacle::Obstacle;
pub(super) use crate::packet::{Packet, PacketKind};
pub(super) use crate::parameters::id;
pub(super) use crate::payload::Payload;
pub(super) use crate::peer::{Beginning, Role, Seen, Stage};
pub(super) use crate::reaction::{Permission, Reaction};
pub(super) use crate::script::{Script, Step};

pub(super) use Reaction::{Bounded, Ignored, Silence};

/// A case for servers.
pub(super) const fn server(
    name: &'static str,
    section: &'static str,
    attack: Attack,
    reaction: Reaction,
) -> Case {
    Case::server(name, section, attack, reaction)
}

/// A case for clients.
pub(super) const fn client(
    name: &'static str,
    section: &'static str,
    attack: Attack,
    reaction: Reaction,
) -> Case {
    Case::client(name, section, attack, reaction)
}

/// FRAME_ENCODING_ERROR in a frame of this type.
pub(super) const fn encoding(frame_type: u64) -> Reaction {
    Reaction::close_in(Code::FRAME_ENCODING_ERROR, frame_type)
}

/// PROTOCOL_VIOLATION in a frame of this type.
pub(super) const fn violation(frame_type: u64) -> Reaction {
    Reaction::close_in(Code::PROTOCOL_VIOLATION, frame_type)
}

/// STREAM_STATE_ERROR in a frame of this type.
pub(super) const fn state(frame_type: u64) -> Reaction {
    Reaction::close_in(Code::STREAM_STATE_ERROR, frame_type)
}

/// STREAM_LIMIT_ERROR in a frame of this type.
pub(super) const fn stream_limit(frame_type: u64) -> Reaction {
    Reaction::close_in(Code::STREAM_LIMIT_ERROR, frame_type)
}

/// FINAL_SIZE_ERROR in a frame of this type.
pub(super) const fn final_size(frame_type: u64) -> Reaction {
    Reaction::close_in(Code::FINAL_SIZE_ERROR, frame_type)
}

/// FLOW_CONTROL_ERROR in a frame of this type.
pub(super) const fn flow_control(frame_type: u64) -> Reaction {
    Reaction::close_in(Code::FLOW_CONTROL_ERROR, frame_type)
}

/// PROTOCOL_VIOLATION.
pub(super) const VIOLATION: Reaction = Reaction::close(Code::PROTOCOL_VIOLATION);
/// TRANSPORT_PARAMETER_ERROR.
pub(super) const PARAMETER_ERROR: Reaction = Reaction::close(Code::TRANSPORT_PARAMETER_ERROR);
