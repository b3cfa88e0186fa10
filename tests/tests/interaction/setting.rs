//! How the ends of a case are configured.

use std::sync::Arc;
use std::time::Duration;

use quic_core::{
    AckFrequencyConfig, AddressValidation, CongestionAlgorithm, QUIC_V1, QUIC_V2, TransportConfig,
};
use quic_sim::null_tls::NullTls;
use quic_sim::pair::Setup;

use super::operations::Limits;
use super::world::PREFERRED;

/// Timeouts of patient cases: longer than all that operations can take.
pub(super) const LONG: Duration = Duration::from_hours(1000);

/// Two or three ends as a case wants them.
pub(super) fn setup(limits: &Limits) -> Setup {
    let mut setup = Setup::with_tls(limits.seed, Arc::new(tls(limits)), Arc::new(tls(limits)));
    for transport in [&mut setup.client_transport, &mut setup.server_transport] {
        configure(transport, limits);
    }
    // Until it sends, nobody can know where a client is now.
    setup.client_transport.keep_alive_interval = Some(Duration::from_secs(10));
    setup.client_endpoint.connection_id_length = limits.ids[0].into();
    setup.server_endpoint.connection_id_length = limits.ids[1].into();
    setup.server_endpoint.receive_budget = limits.receive_budget.into();
    if limits.preferred {
        setup.preferred_address = Some(PREFERRED);
    }
    if limits.version_2 {
        setup.version = QUIC_V2;
        setup.client_versions = vec![QUIC_V2, QUIC_V1];
    }
    if limits.validate {
        setup.validation = AddressValidation::Always;
    }
    setup
}

pub(super) fn tls(limits: &Limits) -> NullTls {
    let ticket_length = if limits.early_data { 100 } else { 0 };
    let protocols = vec![b"test".to_vec()];
    NullTls { protocols, ticket_length, early_data: limits.early_data, ..NullTls::default() }
}

fn configure(transport: &mut TransportConfig, limits: &Limits) {
    let [bidi, uni] = limits.streams;
    transport.max_concurrent_bidi_streams = bidi.into();
    transport.max_concurrent_uni_streams = uni.into();
    let [stream, connection, send] = limits.windows;
    transport.stream_receive_window = stream.into();
    transport.receive_window = connection.into();
    transport.send_window = send.into();
    transport.congestion = match limits.controller {
        0 => CongestionAlgorithm::Cubic,
        1 => CongestionAlgorithm::NewReno,
        _ => CongestionAlgorithm::Bbr,
    };
    transport.pacing = limits.pacing || limits.controller == 2;
    transport.ecn = limits.ecn;
    transport.max_mtu = limits.mtu;
    transport.ack_frequency = limits.ack_frequency.then(AckFrequencyConfig::default);
    if !limits.datagrams {
        transport.max_datagram_frame_size = 0;
    }
    if !limits.impatient {
        transport.max_idle_timeout = Some(LONG);
        transport.handshake_timeout = LONG;
    }
}
