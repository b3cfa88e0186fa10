use std::collections::HashSet;

use proptest::prelude::*;

use super::generator::connection_id;
use super::*;
use crate::config::ConnectionIdGenerator;
use crate::crypto::SeededRandom;

const KEY: [u8; 16] = [
    0x8f, 0x95, 0xf0, 0x92, 0x45, 0x76, 0x5f, 0x80, 0x25, 0x69, 0x34, 0xe5, 0x0c, 0x66, 0x20, 0x7f,
];

fn random() -> SeededRandom {
    SeededRandom::from_seed([1; 32])
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

#[track_caller]
fn check_vector(key: Option<&[u8; 16]>, (id, server, nonce, expected): (u8, &str, &str, &str)) {
    let (server, nonce) = (bytes(server), bytes(nonce));
    let mut config = Config::new(id, server.len(), nonce.len()).unwrap().with_length();
    if let Some(key) = key {
        config = config.encrypted(key);
    }
    let made = connection_id(&config, &server, &nonce, &mut random());
    assert_eq!(made.as_slice(), bytes(expected));
    let mut balancer = LoadBalancer::default();
    balancer.set(config);
    assert_eq!(balancer.server_id(made.as_slice()).unwrap().as_slice(), server);
}

#[test]
fn unencrypted_ids_are_those_of_the_specification() {
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4
    //= type=test
    //# QUIC-LB implementations SHOULD be extensible to support new algorithms.
    // Appendix B.1. Its second vector has an odd number of digits, and so is of no bytes.
    check_vector(None, (0, "c4605e", "4504cc4f", "07c4605e4504cc4f"));
}

#[test]
fn encrypted_ids_are_those_of_the_specification() {
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4.1
    //= type=test
    //# When the nonce length and server ID length sum to exactly 16 octets, the
    //# server MUST use a single-pass encryption algorithm.
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4.2
    //= type=test
    //# When configured with both a key, and a nonce length and server ID length
    //# that sum to any number other than 16, the server MUST follow the
    //# algorith below to encrypt the connection ID.
    // Appendix B.2: four passes, a decryption of four passes, a single pass, and 18 bytes, where
    // the first octet does not name configuration 3 as the text does, but 0.
    for vector in [
        (0, "ed793a", "ee080dbf", "0720b1d07b359d3c"),
        (1, "ed793a51d49b8f5fab65", "ee080dbf48", "2fcc381bc74cb4fbad2823a3d1f8fed2"),
        (2, "ed793a51d49b8f5f", "ee080dbf48c0d1e5", "504dd2d05a7b0de9b2b9907afb5ecf8cc3"),
        (0, "ed793a51d49b8f5fab", "ee080dbf48c0d1e55d", "125779c9cc86beb3a3a4a3ca96fce4bfe0cdbc"),
    ] {
        check_vector(Some(&KEY), vector);
    }
}

#[test]
fn the_example_of_the_specification_comes_out_as_it_says() {
    // Section 5.4.2.4, whose steps 10 to 12 have digits swapped.
    let key = bytes("fdf726a9893ec05c0632d3956680baf0");
    let key = <[u8; 16]>::try_from(key).unwrap();
    check_vector(Some(&key), (0, "31441a", "9c69c275", "0767947d29be054a"));
}

proptest! {
    #[test]
    fn what_a_server_makes_its_load_balancer_reads(
        id in 0_u8..7,
        server in prop::collection::vec(any::<u8>(), 1..=15),
        nonce in 4_usize..19,
        extra in 0_usize..4,
        keyed in any::<bool>(),
        with_length in any::<bool>(),
        seed in any::<[u8; 32]>(),
    ) {
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.1
        //= type=test
        //# The first three bits of any connection ID MUST encode an identifier for
        //# the configuration that the connection ID uses.
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4
        //= type=test
        //# In particular, all servers using a configuration MUST consistently add
        //# the same length to each connection ID, to preserve the linkability
        //# objectives of QUIC-LB.
        let mut random = SeededRandom::from_seed(seed);
        let nonce = nonce.min(19 - server.len());
        prop_assume!(nonce >= 4);
        let mut config = Config::new(id, server.len(), nonce).unwrap();
        if keyed {
            config = config.encrypted(&KEY);
        }
        if with_length {
            config = config.with_length();
        }
        let config = config.clone().with_extra_bytes(extra).unwrap_or(config);
        let generator = Generator::new(config.clone(), &server, &mut random).unwrap();
        let mut balancer = LoadBalancer::default();
        balancer.set(config);
        for _ in 0..3 {
            let made = generator.generate(None, &mut random);
            prop_assert_eq!(made.length(), generator.length());
            prop_assert_eq!(made.as_slice()[0] >> 5, id);
            if with_length {
                prop_assert_eq!(usize::from(made.as_slice()[0] & 0x1f), made.length() - 1);
            }
            let read = balancer.server_id(made.as_slice()).unwrap();
            prop_assert_eq!(read.as_slice(), &*server);
            let short = [&[0x40], made.as_slice(), &[1, 2, 3]].concat();
            prop_assert_eq!(balancer.server_id_of_datagram(&short), Some(read));
            let length = u8::try_from(made.length()).unwrap();
            let long = [&[0xc0, 0, 0, 0, 1, length], made.as_slice(), &[8; 20]].concat();
            prop_assert_eq!(balancer.server_id_of_datagram(&long), Some(read));
        }
    }

    #[test]
    fn no_bytes_break_a_load_balancer(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut balancer = LoadBalancer::default();
        for id in 0..7 {
            let config = Config::new(id, usize::from(id) + 1, 4 + usize::from(id)).unwrap();
            balancer.set(config.encrypted(&KEY));
        }
        balancer.server_id(&bytes);
        balancer.server_id_of_datagram(&bytes);
    }
}

fn encrypted(nonce_length: usize) -> Config {
    Config::new(2, 3, nonce_length).unwrap().encrypted(&KEY)
}

#[test]
fn no_id_comes_twice_before_all_nonces_are_used_and_then_ids_are_unroutable() {
    let mut random = random();
    let mut generator = Generator::new(encrypted(4), b"abc", &mut random).unwrap();
    assert_eq!(generator.remaining(), 1 << 32);
    let made = |generator: &Generator, random: &mut SeededRandom| {
        let id = generator.generate(None, random);
        (id.as_slice()[0] >> 5, id.as_slice()[1..].to_vec())
    };
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-9.6
    //= type=test
    //# Whether or not it implements the counter method, the server MUST NOT
    //# reuse a nonce until it switches to a configuration with new keys.
    let ids: HashSet<_> = (0..10_000).map(|_| made(&generator, &mut random)).collect();
    assert_eq!(ids.len(), 10_000);
    assert!(ids.iter().all(|(config, _)| *config == 2));
    assert_eq!(generator.remaining(), (1 << 32) - 10_000);
    generator.use_up_all_nonces_but(1);
    let last = made(&generator, &mut random);
    assert!(last.0 == 2 && !ids.contains(&last));
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-9.6
    //= type=test
    //# A server that has exhausted its nonces MUST either switch to a
    //# different configuration, or if none exists, use the 4-tuple routing
    //# config rotation codepoint.
    assert_eq!(generator.remaining(), 0);
    for _ in 0..3 {
        let id = generator.generate(None, &mut random);
        assert_eq!(id.as_slice()[0], 0b1110_0111, "unroutable, with its length");
        assert_eq!(id.length(), generator.length());
    }
}

#[test]
fn nonces_of_any_length_count_and_do_not_repeat() {
    for length in 4..=16 {
        let mut random = random();
        let generator = Generator::new(encrypted(length), b"abc", &mut random).unwrap();
        let made =
            (0..70_000).map(|_| generator.generate(None, &mut random).as_slice()[1..].to_vec());
        assert_eq!(made.collect::<HashSet<_>>().len(), 70_000, "nonces of {length} bytes");
    }
}

#[test]
fn two_generators_begin_at_different_nonces() {
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-9.6
    //= type=test
    //# To maximize entropy, servers SHOULD start with a random nonce value,
    //# in which case the configuration is usable until the nonce value wraps
    //# around to zero and then reaches the initial value again.
    let mut random = random();
    let ids: HashSet<_> = (0..100)
        .map(|_| {
            let generator = Generator::new(encrypted(13), b"abc", &mut random).unwrap();
            generator.generate(None, &mut random).as_slice()[1..].to_vec()
        })
        .collect();
    assert_eq!(ids.len(), 100);
}

#[test]
fn without_a_key_nonces_are_random_and_clients_stay_where_they_are() {
    let mut random = random();
    let config = Config::new(2, 3, 4).unwrap();
    let generator = Generator::new(config, b"abc", &mut random).unwrap();
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4
    //= type=test
    //# If there is no key in the configuration, the server MUST fill the
    //# Nonce field with bytes that have no observable relationship to the
    //# field in previously issued connection IDs.
    let nonces: Vec<u32> = (0..1000)
        .map(|_| {
            let id = generator.generate(None, &mut random);
            u32::from_be_bytes(id.as_slice()[4..].try_into().unwrap())
        })
        .collect();
    let steps: HashSet<u32> = nonces.windows(2).map(|two| two[1].wrapping_sub(two[0])).collect();
    assert!(steps.len() > 990, "nonces do not count");
    assert!(!generator.permits_migration());
    assert_eq!(generator.remaining(), u64::MAX);
    assert!(Generator::new(encrypted(4), b"abc", &mut random).unwrap().permits_migration());
}

#[test]
fn bits_that_tell_no_length_are_random() {
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.3
    //= type=test
    //# A server not using this functionality SHOULD choose the five bits so
    //# as to have no observable relationship to previous connection IDs
    //# issued for that connection.
    let mut random = random();
    let generator = Generator::new(encrypted(4), b"abc", &mut random).unwrap();
    let bits = (0..1000).map(|_| generator.generate(None, &mut random).as_slice()[0] & 0x1f);
    assert_eq!(bits.collect::<HashSet<_>>().len(), 32);
}

#[test]
fn configurations_that_the_specification_forbids_are_refused() {
    let refused = |id, server, nonce| Config::new(id, server, nonce).unwrap_err();
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.1
    //= type=test
    //# A
    //# configuration MUST NOT use the reserved identifier 0b111 (see
    //# Section 3.2 below).
    assert_eq!(refused(7, 1, 4), ConfigError::Id(7));
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.3
    //= type=test
    //# The nonce length MUST be at least 4 octets.  The server ID length
    //# MUST be at least 1 octet.
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.1
    //= type=test
    //# The configuration agent chooses a server ID length for each
    //# configuration that MUST be at least one octet.
    assert_eq!(refused(0, 0, 4), ConfigError::EmptyServerId);
    assert_eq!(refused(0, 1, 3), ConfigError::ShortNonce(3));
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.3
    //= type=test
    //# As QUIC version 1 limits connection IDs to 20 octets, the server ID
    //# and nonce lengths MUST sum to 19 octets or less.
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4.2.2
    //= type=test
    //# The 'length' argument MUST NOT
    //# exceed 19 and MUST NOT be less than 5.
    assert_eq!(refused(0, 15, 5), ConfigError::TooLong(20));
    assert_eq!(refused(0, usize::MAX, usize::MAX), ConfigError::TooLong(usize::MAX));
    let longest = Config::new(6, 15, 4).unwrap();
    assert_eq!(longest.connection_id_length(), 20);
    assert_eq!(longest.with_extra_bytes(1).unwrap_err(), ConfigError::TooLong(20));
    assert_eq!(Config::new(0, 1, 4).unwrap().connection_id_length(), 6);
    let error = Generator::new(encrypted(4), b"ab", &mut random()).unwrap_err();
    assert_eq!(error, ConfigError::ServerIdLength { expected: 3, actual: 2 });
}

#[test]
fn a_server_without_a_configuration_makes_ids_that_no_load_balancer_reads() {
    let mut random = random();
    let mut balancer = LoadBalancer::default();
    (0..7).for_each(|id| balancer.set(Config::new(id, 1, 4).unwrap()));
    for length in 8..=20 {
        let generator = Unroutable::new(length).unwrap();
        let id = generator.generate(None, &mut random);
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.2
        //= type=test
        //# Servers with no active configuration MUST issue connection IDs with
        //# the reserved value of the three most significant bits set to 0b111 to
        //# signify the connection ID is unroutable.  These connection IDs MUST
        //# self-encode their length (see Section 3.3).
        assert_eq!(usize::from(id.as_slice()[0]), 0b1110_0000 | (length - 1));
        assert_eq!(id.length(), length);
        assert_eq!(balancer.server_id(id.as_slice()), None);
        //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.2
        //= type=test
        //# When using codepoint 0b111, all bytes but the first SHOULD have no
        //# larger of a chance of collision as random bytes.
        let ids = (0..1000).map(|_| generator.generate(None, &mut random));
        assert_eq!(ids.collect::<HashSet<_>>().len(), 1000);
    }
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-3.2
    //= type=test
    //# The connection ID
    //# SHOULD be of at least length 8 to provide 7 bytes of entropy after
    //# the first octet with a low chance of collision.
    assert_eq!(Unroutable::new(7).unwrap_err(), ConfigError::UnroutableLength(7));
    assert!(Unroutable::new(21).is_err());
}

#[test]
fn ids_of_unknown_configurations_and_short_ids_are_unroutable() {
    let mut balancer = LoadBalancer::default();
    balancer.set(encrypted(4));
    let id = [2 << 5, 1, 2, 3, 4, 5, 6, 7];
    assert!(balancer.server_id(&id).is_some());
    assert_eq!(balancer.server_id(&id[..7]), None);
    assert_eq!(balancer.server_id(&[]), None);
    assert_eq!(balancer.server_id(&[3 << 5, 1, 2, 3, 4, 5, 6, 7]), None);
    let cut = [&[0xc0, 0, 0, 0, 1, 9], &id[..]].concat();
    assert_eq!(balancer.server_id_of_datagram(&cut), None);
    balancer.remove(2);
    assert_eq!(balancer.server_id(&id), None);
}

#[test]
fn nobody_without_the_key_sees_which_ids_are_of_one_server() {
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4
    //= type=test
    //# These bytes MUST NOT provide observers with any information that could
    //# link two connection IDs to the same connection, client, or server.
    //= https://www.ietf.org/archive/id/draft-ietf-quic-load-balancers#section-5.4
    //= type=test
    //# Any additional bytes SHOULD NOT provide any observable correlation to
    //# previous connection IDs for that connection (e.g., the bytes can be
    //# chosen at random).
    for nonce in [4, 13, 16] {
        let mut random = random();
        let generator = Generator::new(encrypted(nonce), b"abc", &mut random).unwrap();
        let mut ones = [0_u32; 20 * 8];
        for _ in 0..1000 {
            for (at, byte) in
                generator.generate(None, &mut random).as_slice()[1..].iter().enumerate()
            {
                (0..8).for_each(|bit| ones[at * 8 + bit] += u32::from(byte >> bit & 1));
            }
        }
        let counted = &ones[..(3 + nonce) * 8];
        assert!(counted.iter().all(|ones| (400..600).contains(ones)), "no bit stands still");
    }
}
