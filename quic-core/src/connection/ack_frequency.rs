//! What the peer is asked for, and what that changes here (draft-ietf-quic-ack-frequency).

use std::time::Duration;

use super::Connection;
use super::datagrams::transport;
use crate::ack_frequency::{AckFrequency, Observed};
use crate::instant::Instant;
use crate::packet::PacketWriter;
use crate::wire::transport_parameters::TransportParameters;
use crate::wire::{Full, SpaceId};

impl Connection {
    /// The handshake has told whether the peer understands ACK_FREQUENCY.
    //= https://www.rfc-editor.org/rfc/draft-ietf-quic-ack-frequency#section-3
    //# Endpoints MUST NOT remember the value of the min_ack_delay transport
    //# parameter they received for use in a subsequent connection.
    pub(super) fn start_ack_frequency(&mut self, parameters: &TransportParameters) {
        let config = transport(&self.role).ack_frequency;
        if let (Some(config), Some(minimum)) = (config, parameters.min_ack_delay) {
            let minimum = Duration::from_micros(minimum);
            let sender = AckFrequency::new(config, minimum, self.peer.max_ack_delay.into());
            self.ack_frequency = Some(Box::new(sender));
        }
    }

    pub(super) fn write_ack_frequency(
        &mut self,
        now: Instant,
        packet: &mut PacketWriter<'_>,
    ) -> Result<(), Full> {
        let probe = self.space(SpaceId::Application).probes > 0;
        let rtt = self.paths.active().rtt.smoothed();
        let Some(sender) = &mut self.ack_frequency else { return Ok(()) };
        let written = sender.write_frames(now, rtt, probe, packet);
        self.peer.max_ack_delay = sender.max_ack_delay().into();
        written
    }

    /// After an acknowledgment and the losses that it showed.
    pub(super) fn update_ack_frequency(&mut self, now: Instant) {
        let path = self.paths.active();
        let thresholds = self.recovery.loss_thresholds(&path.rtt, path.generation);
        let observed = Observed {
            congestion_window: path.congestion.window(),
            mtu: path.mtu.current(),
            smoothed_rtt: path.rtt.smoothed(),
            packet_threshold: thresholds.packet_threshold,
        };
        let confirmed = self.handshake.is_confirmed();
        if let Some(sender) = self.ack_frequency.as_mut().filter(|_| confirmed) {
            sender.update(now, &observed);
            self.peer.max_ack_delay = sender.max_ack_delay().into();
        }
    }
}
