use super::*;

fn problem(config: &TransportConfig) -> Option<&'static str> {
    config.check().err().map(|error| error.field)
}

#[test]
fn no_datagram_size_below_1200_bytes_can_be_configured() {
    //= https://www.rfc-editor.org/rfc/rfc9000#section-14
    //= type=test
    //# QUIC MUST NOT be used if the network path cannot support a maximum
    //# datagram size of at least 1200 bytes.
    //= https://www.rfc-editor.org/rfc/rfc9000#section-14.3
    //= type=test
    //# Endpoints SHOULD set the initial value of BASE_PLPMTU (Section 5.1 of
    //# [DPLPMTUD]) to be consistent with QUIC's smallest allowed maximum
    //# datagram size.
    let mut config = TransportConfig { initial_mtu: 1199, ..TransportConfig::default() };
    assert_eq!(problem(&config), Some("initial_mtu"));
    config.initial_mtu = 1200;
    assert_eq!(problem(&config), None);
}
