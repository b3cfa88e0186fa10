//! `h3` over the handles of `driver`: each promise on each driver.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::similar_names,
    clippy::unwrap_used,
    reason = "test code"
)]

mod drivers;
mod pair;

mod datagrams;
mod endings;
mod requests;
mod violations;

/// Makes a test of each promise for each driver.
macro_rules! promises {
    ($($room:ident: $($promise:ident),+;)+) => {
        on_driver! { tokio, Tokio, $($room: $($promise),+;)+ }
        on_driver! { smol, Smol, $($room: $($promise),+;)+ }
    };
}

/// The tests of one driver.
macro_rules! on_driver {
    ($name:ident, $driver:ident, $($room:ident: $($promise:ident),+;)+) => {
        mod $name {
            use crate::drivers::{$driver, run};

            $(mod $room {
                use super::*;
                $(#[test]
                fn $promise() {
                    run::<$driver, _>(crate::$room::$promise::<$driver>());
                })+
            })+
        }
    };
}

promises! {
    requests:
        a_request_is_answered,
        bodies_go_both_ways_at_a_time,
        trailers_come_after_the_bodies,
        more_requests_than_streams_are_allowed_are_all_answered,
        a_body_waits_for_a_reader_that_does_not_read;
    endings:
        a_stopped_response_tells_the_server_the_code,
        a_reset_request_tells_the_server_the_code,
        a_response_that_the_client_drops_is_cancelled,
        a_request_body_that_the_server_drops_is_no_error,
        a_body_that_breaks_off_in_a_frame_is_cancelled_and_costs_only_its_stream,
        a_response_that_breaks_off_between_frames_is_not_taken_for_whole,
        a_server_that_goes_away_answers_what_it_has,
        a_client_that_is_done_closes_without_an_error,
        silence_is_a_timeout;
    datagrams:
        datagrams_reach_the_other_end_of_their_stream,
        datagrams_of_any_stream_can_be_told_apart,
        a_datagram_that_does_not_fit_is_told_apart_from_a_peer_without_any;
    violations:
        a_control_stream_that_begins_otherwise_closes_with_missing_settings,
        a_second_control_stream_closes_with_a_creation_error,
        the_end_of_the_control_stream_closes_with_its_code,
        data_before_headers_closes_with_an_unexpected_frame,
        a_frame_cut_short_closes_with_a_frame_error,
        a_frame_too_long_to_be_held_is_stopped_before_it_is,
        small_frames_wait_for_a_reader_that_does_not_read,
        a_stream_of_an_unknown_type_is_stopped_and_nothing_else;
}
