//! The secrets of one client's handshake, in case the server moves it to another version.
//!
//! TLS makes the keys of the version that it was started with. The version shows only in the
//! server's answer, so a client that is moved derives its keys itself.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::KeyLog;
use rustls::crypto::tls13::OkmBlock;

/// What TLS calls the secrets; of each level the client's and then the server's.
const LABELS: [[&str; 2]; 2] = [
    ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"],
    ["CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"],
];

/// The client's secret and the server's.
pub(super) type SecretPair = [OkmBlock; 2];

/// Hears of the secrets of one handshake, and keeps them once it was told to.
pub(super) struct SecretCapture {
    /// What the application wants to hear.
    log: Arc<dyn KeyLog>,
    keeps: AtomicBool,
    handshake: [OnceLock<Box<OkmBlock>>; 2],
    one_rtt: [OnceLock<Box<OkmBlock>>; 2],
}

impl SecretCapture {
    pub(super) fn new(log: Arc<dyn KeyLog>) -> Self {
        Self {
            log,
            keeps: AtomicBool::new(false),
            handshake: Default::default(),
            one_rtt: Default::default(),
        }
    }

    /// Keeps the secrets that are made from now on.
    pub(super) fn keep(&self) {
        self.keeps.store(true, Ordering::Relaxed);
    }

    /// The secrets of Handshake packets.
    pub(super) fn handshake(&self) -> Option<SecretPair> {
        pair(&self.handshake)
    }

    /// The first secrets of 1-RTT packets.
    pub(super) fn one_rtt(&self) -> Option<SecretPair> {
        pair(&self.one_rtt)
    }

    fn place(&self, label: &str) -> Option<&OnceLock<Box<OkmBlock>>> {
        let places = self.handshake.iter().chain(&self.one_rtt);
        let mut labels = LABELS.iter().flatten().zip(places);
        labels.find(|(known, _)| **known == label).map(|(_, place)| place)
    }
}

fn pair(places: &[OnceLock<Box<OkmBlock>>; 2]) -> Option<SecretPair> {
    let [client, server] = places;
    Some([(**client.get()?).clone(), (**server.get()?).clone()])
}

impl KeyLog for SecretCapture {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        if self.log.will_log(label) {
            self.log.log(label, client_random, secret);
        }
        if self.keeps.load(Ordering::Relaxed)
            && secret.len() <= OkmBlock::MAX_LEN
            && let Some(place) = self.place(label)
        {
            place.get_or_init(|| Box::new(OkmBlock::new(secret)));
        }
    }

    fn will_log(&self, label: &str) -> bool {
        self.log.will_log(label)
            || (self.keeps.load(Ordering::Relaxed) && self.place(label).is_some())
    }
}

impl fmt::Debug for SecretCapture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretCapture(secret)")
    }
}
