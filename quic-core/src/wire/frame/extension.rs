//! Frames of extensions: those whose types are not in Table 3 of RFC 9000.

use super::{
    AckFrequency, Datagram, Frame, FrameError, FrameType, Frames, Malformed, ResetStreamAt,
};
use crate::wire::{Reader, varint_length};

impl<'a> Frames<'a> {
    /// Reads a frame whose type is none of version 1, or is not in its shortest encoding.
    pub(super) fn extension_frame(&mut self) -> Result<Frame<'a>, FrameError> {
        let mut reader = self.reader.clone();
        let frame_type = read_type(&mut reader)?;
        match body(&mut reader, frame_type) {
            Some(Ok(frame)) => {
                self.reader = reader;
                Ok(frame)
            }
            Some(Err(Malformed(reason))) => Err(FrameError::Malformed { frame_type, reason }),
            None => Err(FrameError::UnknownType(frame_type)),
        }
    }
}

fn read_type(reader: &mut Reader<'_>) -> Result<FrameType, FrameError> {
    let before = reader.remaining();
    let Ok(ty) = reader.varint() else {
        let reason = "frame type is cut off";
        return Err(FrameError::Malformed { frame_type: FrameType::PADDING, reason });
    };
    //= https://www.rfc-editor.org/rfc/rfc9000#section-12.4
    //# To ensure simple and efficient
    //# implementations of frame parsing, a frame type MUST use the shortest
    //# possible encoding.
    if before - reader.remaining() == varint_length(ty) {
        Ok(FrameType(ty))
    } else {
        Err(FrameError::OverlongType(FrameType(ty)))
    }
}

/// Reads what follows the type; `None` if the type is unknown.
fn body<'a>(reader: &mut Reader<'a>, ty: FrameType) -> Option<Result<Frame<'a>, Malformed>> {
    Some(match ty {
        FrameType::DATAGRAM | FrameType::DATAGRAM_WITH_LENGTH => {
            Datagram::decode(reader, ty).map(Frame::Datagram)
        }
        FrameType::ACK_FREQUENCY => AckFrequency::decode(reader).map(Frame::AckFrequency),
        FrameType::IMMEDIATE_ACK => Ok(Frame::ImmediateAck),
        FrameType::RESET_STREAM_AT => ResetStreamAt::decode(reader).map(Frame::ResetStreamAt),
        _ => return None,
    })
}
