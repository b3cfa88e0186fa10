use quic_core::wire::Side;
use quic_core::wire::transport_parameters::decode;

use super::{Parameters, id};

#[test]
fn honest_parameters_are_in_order() {
    let read = decode(&Parameters::honest().encode(), Side::Client).unwrap();
    assert_eq!((read.initial_max_data, read.active_connection_id_limit), (1 << 20, 4));
}

#[test]
fn a_parameter_is_replaced_repeated_or_left_out() {
    let mut parameters = Parameters::honest();
    parameters.set_number(id::INITIAL_MAX_DATA, 7);
    let read = |parameters: &Parameters| decode(&parameters.encode(), Side::Client);
    assert_eq!(read(&parameters).unwrap().initial_max_data, 7);
    parameters.add_number(id::INITIAL_MAX_DATA, 8);
    assert!(read(&parameters).is_err(), "it is there twice");
    parameters.remove(id::INITIAL_MAX_DATA);
    assert!(!parameters.contains(id::INITIAL_MAX_DATA));
    assert_eq!(read(&parameters).unwrap().initial_max_data, 0);
    parameters.end_in(&[0xc0]);
    assert!(read(&parameters).is_err(), "it ends in half an identifier");
}
