//! Cases as data: an attack, and the reaction to it.

use crate::packet::PacketKind;
use quic_core::wire::Side;

use crate::network::Network;
use crate::payload::Payload;
use crate::peer::{Beginning, Role};
use crate::reaction::{Outcome, Reaction};
use crate::script::{Script, Step};

/// An attack and the reaction to it.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it is called; unique, with the topic in front.
    pub name: &'static str,
    /// Which end the target is.
    pub target: Side,
    /// What the target has to offer for it.
    pub needs: Needs,
    /// Where the reaction is asked for, as in `RFC 9000 §19.8`.
    pub section: &'static str,
    /// What to do.
    pub attack: Attack,
    /// What has to come of it.
    pub reaction: Reaction,
}

/// What a target has to be set up for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Needs {
    /// Nothing in particular.
    Nothing,
    /// A server that answers every Initial without a token with a Retry.
    Retry,
    /// A server that takes early data.
    EarlyData,
}

/// What to do to a target.
#[derive(Clone, Copy, Debug)]
pub enum Attack {
    /// Send these frames in a 1-RTT packet when the handshake is confirmed.
    Frames(&'static [u8]),
    /// Send these frames in a packet of this type, as soon as there are keys for it.
    FramesIn(PacketKind, &'static [u8]),
    /// Begin with other transport parameters, or otherwise.
    Parameters(fn(&mut Beginning)),
    /// Anything else.
    Steps(fn(&mut Script<'_>) -> Step),
}

impl Case {
    /// A case for servers.
    pub(crate) const fn server(
        name: &'static str,
        section: &'static str,
        attack: Attack,
        reaction: Reaction,
    ) -> Self {
        Self { name, target: Side::Server, needs: Needs::Nothing, section, attack, reaction }
    }

    /// A case for clients.
    pub(crate) const fn client(
        name: &'static str,
        section: &'static str,
        attack: Attack,
        reaction: Reaction,
    ) -> Self {
        Self { name, target: Side::Client, needs: Needs::Nothing, section, attack, reaction }
    }

    /// The same for servers that are set up so.
    #[must_use]
    pub(crate) const fn needing(self, needs: Needs) -> Self {
        Self { needs, ..self }
    }

    /// The topic: what the name begins with.
    pub fn topic(&self) -> &'static str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// Runs the case: `role` is the evil end, `network` leads to the target. The same seed sends
    /// the same.
    pub fn run(&self, role: &Role, network: &mut dyn Network, seed: [u8; 32]) -> Outcome {
        Script::new(network, role.clone(), seed).outcome(self)
    }
}

/// Connects and closes like an honest end: whether there is a target at all.
///
/// # Errors
/// Why there is no connection.
pub fn greet(role: &Role, network: &mut dyn Network, seed: [u8; 32]) -> Step {
    let mut script = Script::new(network, role.clone(), seed);
    script.connect()?;
    script.send(Payload::new().numbers(&[0x1c, 0, 0, 0])).map(|_| ())
}
