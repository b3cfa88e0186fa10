//! What happens to the server.

use std::sync::Arc;

use quic_core::{KeyId, PacketHandlerManager as _};

use super::operations::Answer;
use super::run::Run;
use super::setting::tls;
use super::world::SERVER;

impl Run {
    /// Lets the server answer attempts in another way from now on.
    pub(super) fn respond(&mut self, answer: Answer) {
        let config = self.setup.server_config();
        let server = self.world.ends[SERVER].manager();
        if answer == Answer::Deaf {
            server.stop_listening();
            self.refused = true;
        } else if self.answer == Answer::Deaf {
            server.listen(config);
        }
        self.answer = answer;
    }

    pub(super) fn restart(&mut self) {
        self.world.restart_server();
        if self.answer != Answer::Deaf {
            self.world.ends[SERVER].manager().listen(self.setup.server_config());
        }
        for conn in self.connections.iter_mut().filter(|conn| conn.end == SERVER) {
            conn.forgotten = true;
        }
        // A client that is half through its handshake waits for a server that is no more.
        self.connections.iter_mut().filter(|conn| !conn.connected).for_each(|conn| {
            conn.disturbed = true;
        });
    }

    pub(super) fn forget_sessions(&mut self) {
        self.setup.server_tls = Arc::new(tls(&self.limits));
        if self.answer == Answer::Deaf {
            return;
        }
        self.world.ends[SERVER].manager().listen(self.setup.server_config());
    }

    /// Adds a key to both keyrings of the server, as long as there is a name left for one.
    pub(super) fn rotate_keys(&mut self) {
        let endpoint = &mut self.setup.server_endpoint;
        for keyring in endpoint.keyring.iter_mut().chain([&mut self.setup.server_keyring]) {
            let next = u8::try_from(keyring.ids().count()).ok().and_then(KeyId::new);
            let Some(next) = next else { return };
            keyring.announce(next, [next.number(); 32]).unwrap();
            keyring.activate(next).unwrap();
        }
        if let Some(keyring) = &self.setup.server_endpoint.keyring {
            self.world.ends[SERVER].use_keyring(keyring);
        }
        if self.answer != Answer::Deaf {
            self.world.ends[SERVER].manager().listen(self.setup.server_config());
        }
    }
}
