//! The attacks that are data.

use std::time::Duration;

use crate::packet::PacketKind;
use quic_core::wire::{Side, SpaceId};

use super::{Script, Step};
use crate::case::Attack;
use crate::obstacle::Obstacle;
use crate::packet::Packet;
use crate::payload::Payload;
use crate::peer::Stage;

impl Script<'_> {
    /// Does what the case says.
    pub(crate) fn run(&mut self, attack: Attack) -> Step {
        match attack {
            Attack::Frames(bytes) => {
                self.connect()?;
                self.send(Payload::new().raw(bytes)).map(|_| ())
            }
            Attack::FramesIn(PacketKind::Initial, bytes) => self.attack_in_initial(bytes),
            Attack::FramesIn(PacketKind::Handshake, bytes) => self.attack_in_handshake(bytes),
            Attack::FramesIn(PacketKind::ZeroRtt, bytes) => self.attack_in_early_data(bytes),
            Attack::FramesIn(PacketKind::OneRtt, bytes) => self.run(Attack::Frames(bytes)),
            Attack::Parameters(change) => {
                let mut beginning = self.beginning();
                change(&mut beginning);
                self.attempt(beginning)
            }
            Attack::Steps(run) => run(self),
        }
    }

    /// The frames come behind the ClientHello in the first packet, or in the server's first packet.
    fn attack_in_initial(&mut self, bytes: &[u8]) -> Step {
        let beginning = self.beginning();
        self.begin(beginning)?;
        let mut payload = Payload::new();
        if self.target_side() == Side::Server {
            payload = payload.crypto(0, &self.peer()?.take_crypto(SpaceId::Initial));
        }
        self.send_packet(Packet::initial(payload.raw(bytes)))?;
        self.listen(Duration::from_millis(100))
    }

    fn attack_in_handshake(&mut self, bytes: &[u8]) -> Step {
        let beginning = self.beginning();
        if self.target_side() == Side::Server {
            self.until(beginning, Stage::Handshake)?;
        } else {
            self.begin(beginning)?;
            // The ServerHello comes first, or the client has no keys.
            let hello = self.peer()?.take_crypto(SpaceId::Initial);
            if hello.is_empty() {
                return Err(Obstacle::not_set_up("no ServerHello"));
            }
            self.send_packet(Packet::initial(Payload::new().crypto(0, &hello)))?;
        }
        self.send_packet(Packet::handshake(Payload::new().raw(bytes)))?;
        // Handshake bytes are held back: only the frames can have caused what comes.
        let start = self.now();
        while !self.is_closed() && self.now().saturating_duration_since(start) < super::PROBE {
            self.take(super::PROBE);
        }
        Ok(())
    }

    fn attack_in_early_data(&mut self, bytes: &[u8]) -> Step {
        self.resume(|_| {})?;
        self.send_early(Payload::new().raw(bytes))?;
        self.finish()
    }

    /// Sends the ClientHello and early data in one datagram.
    ///
    /// # Errors
    /// If there are no keys for it.
    pub fn send_early(&mut self, payload: Payload) -> Step {
        let hello = Payload::new().crypto(0, &self.peer()?.take_crypto(SpaceId::Initial));
        let early = Packet::new(PacketKind::ZeroRtt, payload);
        let initial = Packet { pad_to: 1000, ..Packet::initial(hello) };
        let padded = Packet { pad_to: 200, ..early };
        self.send_packets(0, vec![initial, padded])
    }
}
