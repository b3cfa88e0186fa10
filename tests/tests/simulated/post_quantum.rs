//! Key exchanges whose ClientHello takes two datagrams.

use std::sync::Arc;

use quic_core::AddressValidation;
use quic_core::crypto::{TlsClientConfig, TlsServerConfig};
use quic_core::rustls::{ClientConfig, NamedGroup, RootCertStore, ServerConfig, crypto};
use quic_sim::pair::{Pair, Setup, certificate};

use super::{echo, seconds};

/// The cryptography in use, with the key exchange X25519MLKEM768 alone.
fn provider() -> Arc<crypto::CryptoProvider> {
    let kx_groups = vec![crypto::aws_lc_rs::kx_group::X25519MLKEM768];
    Arc::new(crypto::CryptoProvider { kx_groups, ..quic_core::crypto::provider() })
}

fn setup(seed: u64) -> Setup {
    let (chain, key) = certificate();
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.clone(), key)
        .unwrap();
    server.alpn_protocols = vec![b"test".to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let mut client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"test".to_vec()];
    Setup::with_tls(
        seed,
        Arc::new(TlsClientConfig::new(Arc::new(client)).unwrap()),
        Arc::new(TlsServerConfig::new(Arc::new(server)).unwrap()),
    )
}

fn check_connects(mut pair: Pair) {
    let (client, _) = pair.connect();
    let data = pair.client.with(client, |connection| connection.handshake_data()).unwrap();
    assert_eq!(data.key_exchange_group, Some(NamedGroup::X25519MLKEM768));
    echo(&mut pair, client, 5000, seconds(5));
}

#[test]
fn a_large_client_hello_connects_with_and_without_a_retry() {
    for validation in [AddressValidation::Never, AddressValidation::Always] {
        let mut setup = setup(1);
        setup.validation = validation;
        check_connects(setup.build());
    }
}

#[test]
fn a_large_client_hello_survives_the_loss_of_any_datagram_and_both_orders() {
    for validation in [AddressValidation::Never, AddressValidation::Always] {
        for lost in 0..8 {
            for by_server in [true, false] {
                let mut setup = setup(lost);
                setup.validation = validation;
                let mut pair = setup.build();
                let link = if by_server { pair.to_client() } else { pair.to_server() };
                link.drops = [lost].into();
                check_connects(pair);
            }
        }
    }
}

#[test]
fn a_server_answers_the_first_half_of_a_client_hello_with_no_more_than_three_times_its_bytes() {
    for lost in [0, 1] {
        let mut pair = setup(1).build();
        // One of the two datagrams of the ClientHello arrives, and nothing else.
        pair.to_server().drops = (0..100).filter(|number| *number != 1 - lost).collect();
        pair.start();
        pair.run_for(seconds(9));
        let (sent, received) = (pair.server.bytes_sent, pair.server.bytes_received);
        assert!(received > 0 && sent <= 3 * received, "{sent} bytes for {received}");
    }
}
