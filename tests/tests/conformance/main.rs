//! One suite over every driver: each promise of the async API once, kept on each of them.
#![expect(
    clippy::cognitive_complexity,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::similar_names,
    clippy::unwrap_used,
    reason = "test code"
)]

#[macro_use]
mod suite;

mod drivers;
mod pair;

mod cancellation;
mod closing;
mod datagrams;
mod early_data;
mod endpoints;
mod faults;
mod incoming;
mod moving;
mod shards;
mod sockets;
mod streams;

promises! {
    streams:
        a_stream_echoes,
        many_streams_echo_at_a_time,
        a_large_transfer_arrives_once_and_in_order,
        what_a_stream_is_finished_with_arrives_whole_before_its_end,
        a_writer_waits_for_a_reader_that_does_not_read,
        a_half_that_ended_leaves_the_other_open,
        a_dropped_sender_ends_its_stream,
        a_dropped_receiver_stops_its_stream,
        a_reset_reaches_the_reader_with_its_code,
        what_a_reliable_reset_promises_is_read_before_its_code,
        reads_say_when_a_stream_is_too_short_or_too_long,
        more_streams_can_be_allowed_while_the_peer_waits_for_one;
    datagrams:
        datagrams_arrive_and_are_reported,
        a_sender_that_waits_loses_nothing_to_a_full_queue,
        a_datagram_that_expires_in_the_queue_is_not_sent,
        a_peer_without_datagrams_is_told_apart_from_one_that_is_gone;
    cancellation:
        every_wait_can_be_given_up_and_begun_again,
        a_cancelled_read_loses_nothing,
        who_polls_is_woken_and_leaves_nothing_behind,
        a_cancelled_write_took_nothing,
        a_cancelled_accept_loses_no_stream,
        a_cancelled_open_takes_no_stream,
        a_cancelled_accept_of_a_connection_loses_none,
        a_connection_given_up_while_connecting_is_over;
    incoming:
        a_refused_client_hears_of_it,
        a_dropped_attempt_is_refused,
        a_client_that_answers_a_retry_is_validated,
        an_accept_queue_that_is_full_refuses_and_serves_who_waits,
        a_server_that_keeps_its_keys_knows_its_clients_after_a_restart,
        nobody_gets_in_after_accepting_stopped_and_connections_live_on,
        who_knocked_before_receiving_stopped_can_be_accepted_and_then_nobody,
        the_handshake_tells_protocol_and_name;
    early_data:
        early_data_is_taken_and_answered,
        who_has_no_session_has_no_early_data,
        rejected_early_data_can_be_sent_again,
        streams_of_rejected_early_data_fail_if_it_is_not_sent_again,
        each_session_is_used_once;
    moving:
        connections_of_a_client_move_to_the_socket_that_it_is_given,
        connections_move_also_after_the_endpoint_was_given_another_key,
        a_transfer_goes_on_while_the_client_moves,
        a_connection_whose_handshake_goes_on_moves_once_it_is_confirmed,
        a_socket_that_nobody_needs_is_closed,
        a_server_that_is_given_another_socket_goes_on_on_both,
        clients_move_to_the_address_that_a_server_prefers,
        a_closed_endpoint_takes_no_socket;
    sockets:
        an_endpoint_speaks_both_versions_of_ip,
        a_socket_is_removed_while_connections_live,
        nobody_is_accepted_on_a_socket_that_was_removed,
        datagrams_of_other_protocols_are_the_applications,
        who_looks_at_datagrams_first_may_use_the_endpoint;
    shards:
        every_shard_has_its_share_of_the_connections,
        a_client_that_moves_is_heard_by_the_shard_that_knows_it,
        a_client_that_moves_all_the_time_is_served_all_the_same,
        each_shard_can_be_accepted_from_alone,
        a_closed_endpoint_closes_the_connections_of_all_shards,
        a_server_with_shards_goes_on_on_another_address_as_well,
        who_moves_goes_on_with_the_address_that_he_knows,
        answers_to_a_client_with_shards_find_the_one_that_asked,
        endpoints_that_share_an_address_serve_each_others_peers,
        what_is_lost_on_its_way_to_a_neighbour_is_sent_again,
        whose_server_is_gone_hears_of_it_from_its_neighbour;
    closing:
        a_close_reaches_everything_that_waits_at_both_ends,
        the_last_handle_to_go_closes_the_connection,
        a_shutdown_loses_nothing,
        what_the_peer_sent_before_it_closed_can_be_accepted_and_read_afterwards,
        a_connection_that_its_peer_closed_again_can_be_accepted_all_the_same,
        delivery_is_known_even_if_the_peer_closed_meanwhile;
    endpoints:
        a_closed_endpoint_tells_its_peers_and_opens_nothing,
        connections_outlive_the_handles_of_their_endpoint,
        the_loop_hears_of_the_second_act_as_of_the_first,
        a_thousand_connections_come_and_go;
    faults:
        errors_of_sockets_end_neither_endpoints_nor_connections;
}
