//! The end of connections.

use quic_core::FrameRecord;

/// Whether one end is done.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    is_closed: bool,
    said: bool,
}

impl Closing {
    /// The connection is over.
    pub(crate) fn on_closed(&mut self) {
        self.is_closed = true;
    }

    /// A packet is sent with this in it.
    pub(crate) fn on_sent(&mut self, frame: &FrameRecord<'_>) {
        self.said |= matches!(frame, FrameRecord::ConnectionClose { .. });
    }

    pub(crate) fn i18_connection_close_leaves_at_once(&self) -> Result<(), String> {
        if self.said { Ok(()) } else { Err("I18: closed, and nothing was said".to_owned()) }
    }

    pub(crate) fn i17_after_the_end_only_connection_close(
        &self,
        frame: &FrameRecord<'_>,
    ) -> Result<(), String> {
        let is_last_word = matches!(
            frame,
            FrameRecord::ConnectionClose { .. }
                | FrameRecord::Padding { .. }
                | FrameRecord::Ack { .. }
        );
        if !self.is_closed || is_last_word {
            Ok(())
        } else {
            Err(format!("I17: {frame:?} after the end"))
        }
    }
}
