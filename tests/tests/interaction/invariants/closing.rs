//! The end of connections.

use quic_core::FrameRecord;

/// Whether one end is done.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    is_closed: bool,
}

impl Closing {
    /// The connection is over.
    pub(crate) fn on_closed(&mut self) {
        self.is_closed = true;
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
