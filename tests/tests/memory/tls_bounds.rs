//! What TLS takes in a connection, against the allowance for it.

use std::sync::Arc;

use quic_core::crypto::{TlsClientConfig, TlsServerConfig};
use quic_core::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use quic_sim::pair::{SERVER_NAME, Setup};

use super::{CLIENT_END, Ends, SERVER_END};

/// Bytes of the certificates that come with the server's own: nearly as much as TLS takes.
const CHAIN: usize = 60_000;

fn setup(chain: usize) -> Setup {
    let made = rcgen::generate_simple_self_signed(vec![SERVER_NAME.to_owned()]).unwrap();
    let mut certificates = vec![made.cert.der().clone()];
    certificates.extend((0..chain / 20_000).map(|_| CertificateDer::from(vec![0x30; 20_000])));
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let server = TlsServerConfig::from_certificate(certificates, key, &[b"test"]).unwrap();
    let client = TlsClientConfig::dangerous_without_verification(&[b"test"]).unwrap();
    Setup::with_tls(1, Arc::new(client), Arc::new(server))
}

/// Most that one connection takes at each end, at any time of its handshake.
fn peaks(setup: &Setup) -> [u64; 2] {
    let mut ends = Ends::new(setup);
    // The first connection pays for what all share.
    ends.connect(setup);
    ends.run(200);
    let before = [CLIENT_END, SERVER_END].map(|end| ends.both[end].heap.bytes);
    ends.connect(setup);
    let mut peaks = [0; 2];
    for _ in 0..200 {
        ends.turn();
        for end in [CLIENT_END, SERVER_END] {
            let taken = ends.both[end].heap.bytes - before[end];
            peaks[end] = peaks[end].max(u64::try_from(taken).unwrap_or(0));
        }
    }
    assert_eq!(ends.connected, 4, "both connections are there, at both ends");
    peaks
}

#[test]
fn tls_and_its_messages_take_no_more_than_is_allowed_for_them() {
    let long = setup(CHAIN);
    let [client, _] = peaks(&long);
    let bound = long.client_config().worst_case_bytes(0);
    eprintln!("client: {client} bytes of {} for TLS", bound.tls);
    assert!(client <= bound.tls + bound.state, "{client} bytes at the client");
    assert!(client >= bound.tls / 10, "{client} bytes: the allowance is too large");

    let usual = setup(0);
    let [_, server] = peaks(&usual);
    let bound = usual.server_config().worst_case_bytes(0);
    eprintln!("server: {server} bytes of {} for TLS", bound.tls);
    assert!(server <= bound.tls + bound.state, "{server} bytes at the server");
}
