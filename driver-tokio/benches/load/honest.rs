//! Honest clients, and what they notice.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use driver_tokio::crypto::TlsClientConfig;
use driver_tokio::{ClientConfig, Connection, Endpoint, TransportConfig, VarInt};

use crate::server::ALPN;

/// An honest client.
pub(crate) struct Client {
    endpoint: Endpoint,
    server: SocketAddr,
}

impl Client {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        let endpoint = Endpoint::client(address).expect("a socket");
        endpoint.set_default_client_config(config());
        Self { endpoint, server }
    }

    pub(crate) async fn connect(&self) -> Option<Connection> {
        self.endpoint.connect(self.server, "localhost").ok()?.await.ok()
    }

    /// Connects one time after the other.
    pub(crate) async fn handshakes(&self, time: Duration) -> Times {
        let end = Instant::now() + time;
        let mut times = Times::default();
        while Instant::now() < end {
            let begun = Instant::now();
            match self.connect().await {
                Some(connection) => {
                    times.taken.push(begun.elapsed());
                    connection.close(VarInt::default(), b"");
                }
                None => times.failed += 1,
            }
            // The attack is to be met at any moment of it.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        times.taken.sort_unstable();
        times
    }

    /// Downloads for so long; returns bytes per second.
    pub(crate) async fn download(&self, time: Duration) -> f64 {
        let connection = self.connect().await.expect("a connection");
        let (mut send, mut recv) = connection.open_bi().await.expect("a stream");
        send.write_all(&u64::MAX.to_be_bytes()).await.expect("a request");
        let begun = Instant::now();
        let mut bytes = 0;
        while begun.elapsed() < time {
            let chunk = recv.read_chunk(usize::MAX).await.expect("an answer");
            bytes += chunk.map_or(0, |chunk| chunk.len());
        }
        bytes as f64 / begun.elapsed().as_secs_f64()
    }

    /// Waits until the last word of every connection was said.
    pub(crate) async fn finish(&self) {
        self.endpoint.wait_idle().await;
    }
}

/// How clients connect that believe any certificate.
pub(crate) fn config() -> ClientConfig {
    let tls = TlsClientConfig::dangerous_without_verification(ALPN).expect("TLS");
    let mut transport = TransportConfig::default();
    transport.max_idle_timeout = Some(Duration::from_mins(10));
    ClientConfig::new(Arc::new(tls), transport).expect("a configuration")
}

/// What handshakes or requests took, in ascending order.
#[derive(Debug, Default)]
pub(crate) struct Times {
    taken: Vec<Duration>,
    failed: usize,
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(taken: I) -> Self {
        let mut taken: Vec<_> = taken.into_iter().collect();
        taken.sort_unstable();
        Self { taken, failed: 0 }
    }
}

impl Times {
    /// Those of another time, too.
    pub(crate) fn add(&mut self, more: Self) {
        self.taken.extend(more.taken);
        self.taken.sort_unstable();
        self.failed += more.failed;
    }

    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let index = (self.taken.len() * percent / 100).min(self.taken.len().saturating_sub(1));
        self.taken.get(index).copied().unwrap_or_default()
    }

    pub(crate) fn describe(&self, what: &str) -> String {
        let (half, most) = (self.percentile(50), self.percentile(99));
        format!(
            "{} {what}, {} failed, p50 {half:.2?}, p99 {most:.2?}",
            self.taken.len(),
            self.failed
        )
    }
}
