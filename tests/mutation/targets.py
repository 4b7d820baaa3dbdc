"""The files that are mutated, and the tests that judge each, the fastest first: a run ends with the first that fails.

Tests that stop a server are not among them, because all runs share the servers.
"""

LIBRARY = "tests/library"
UNIT = f"{LIBRARY}/unit"
BATCHES = f"{UNIT}/test_batches.py"
RELAY = f"{LIBRARY}/test_relay.py::test_"
UNDELIVERABLE = f"{LIBRARY}/test_undeliverable.py::test_"
TRACES = f"{LIBRARY}/test_traces.py::test_"
PARKED = f"{LIBRARY}/test_parked.py::test_"
OPERATIONS = f"{LIBRARY}/test_parked_operations.py"

SLOW = (
    f"{LIBRARY}/test_reaction_round_trips.py::test_the_look_at_a_message_probes_indexes_also_with_the_plan_of_an_empty_database",
    f"{LIBRARY}/test_transaction.py::test_a_process_killed_at_any_moment_leaves_whole_units_alone",
    f"{LIBRARY}/test_snapshots.py::test_a_snapshot_that_is_not_what_the_events_give_is_named_and_dropped",
    f"{OPERATIONS}::test_order_per_key_survives_an_operator_who_retries_and_skips_while_two_workers_run",
    f"{LIBRARY}/test_announce.py::test_with_psycopg_neither_sqlalchemy_nor_flask_is_loaded",
)
"""Tests that take seconds and kill few mutants that others leave."""
WITHOUT_SLOW = tuple(f"--deselect={test}" for test in SLOW)
REACTIONS = (f"{LIBRARY}/test_receive_without_events.py", f"{LIBRARY}/test_reaction_round_trips.py")
FORGED = f"{LIBRARY}/test_forgeries.py"
ERRORS = f"{LIBRARY}/test_error_kinds.py"
FORKS = f"{LIBRARY}/test_forks.py"
WORKERS = (
    f"{PARKED}a_bad_message_does_not_hurt_its_neighbours_in_the_batch",
    f"{PARKED}what_cannot_be_read_is_parked_with_its_reason_and_the_queue_goes_on",
    f"{PARKED}what_the_broker_gave_up_is_kept_as_dead_and_blocks_its_key",
    f"{PARKED}nothing_overtakes_while_messages_are_parked_and_released_all_the_time",
    f"{LIBRARY}/test_consumer.py::test_a_message_delivered_three_times_takes_effect_once",
    f"{LIBRARY}/test_consumer.py::test_order_per_key_is_kept_by_two_consumers_of_which_one_is_killed",
)
OUTSIDE = (
    f"{UNIT}/test_operations.py",
    f"{UNIT}/test_circuit_probes.py",
    f"{UNIT}/test_circuit_states.py",
    f"{UNIT}/test_pace.py",
    f"{LIBRARY}/test_outside_operations.py",
)
STORE = (
    f"{LIBRARY}/test_lazy_transaction.py",
    f"{LIBRARY}/test_flush.py",
    f"{LIBRARY}/test_announce.py",
    *REACTIONS,
    f"{LIBRARY}/test_snapshots.py",
    f"{LIBRARY}/test_transaction.py",
)
UNITS_OF_WORK = (
    f"{LIBRARY}/test_units_of_work.py",
    f"{TRACES}what_a_reaction_announces_goes_on_from_its_own_span_within_that_of_the_reaction",
    f"{TRACES}what_is_rolled_back_or_only_tried_leaves_no_span_of_an_announcement",
    f"{TRACES}in_a_transaction_of_the_caller_the_span_of_an_announcement_ends_with_the_flush",
)
AGGREGATES = (f"{UNIT}/test_stored_events.py", f"{UNIT}/test_aggregate_cache.py", f"{LIBRARY}/test_recorder.py", *STORE)
IN_FLIGHT = (f"{UNIT}/test_relay_in_flight.py", f"{UNIT}/test_relay_confirms.py", f"{UNIT}/test_relay_copies.py")
SIMULATED = (f"{UNIT}/test_simulation_retry.py", f"{UNIT}/test_simulation_full_table.py", "tests/mutation/simulated.py")
PUBLISHED = (
    *SIMULATED,
    f"{RELAY}a_row_that_commits_late_is_published",
    f"{RELAY}a_row_whose_transaction_began_with_the_inbox_is_published",
    f"{RELAY}an_idle_relay_writes_nothing",
    f"{RELAY}a_relay_killed_after_the_confirms_and_before_its_cursor_moves_publishes_the_same_again",
    f"{RELAY}a_relay_told_to_stop_before_the_second_message_of_a_key_leaves_it_to_the_next",
    f"{LIBRARY}/test_relay_wakes.py",
    f"{RELAY}a_relay_told_to_stop_leaves_its_cursor_behind_everything_that_was_confirmed",
    f"{RELAY}a_relay_killed_inside_a_long_window_goes_on_behind_what_was_confirmed",
    f"{RELAY}with_eight_writers_nothing_is_lost_nothing_comes_twice_and_each_key_is_in_order",
    f"{LIBRARY}/test_relay_large_messages.py",
)
REFUSED = (
    f"{LIBRARY}/test_relay_refusals.py",
    f"{UNDELIVERABLE}a_skipped_message_is_never_sent_and_its_key_goes_on",
    f"{UNDELIVERABLE}a_relay_holds_when_too_much_is_undeliverable_and_goes_on_when_there_is_room",
    f"{UNDELIVERABLE}what_was_kept_before_the_cursor_moved_is_not_sent_past_its_place",
    f"{UNDELIVERABLE}what_is_taken_at_last_is_followed_by_what_waited_in_order_and_then_its_key_flows_directly",
    f"{UNDELIVERABLE}whatever_is_refused_and_whenever_the_relay_dies_nothing_is_lost_and_each_key_is_in_order",
)
DETACHED = (*SIMULATED, f"{UNIT}/test_relay_routes.py", f"{LIBRARY}/test_detached_queues.py")

CONSUMER_FILES: dict[str, tuple[str, ...]] = {
    "receiver": (
        f"{UNIT}/test_receiving.py",
        f"{UNIT}/test_halving.py",
        *SIMULATED,
        BATCHES,
        *REACTIONS,
        FORGED,
        ERRORS,
        OPERATIONS,
        FORKS,
    ),
    "key_queues": (f"{UNIT}/test_key_queues.py", *SIMULATED, *OUTSIDE, f"{LIBRARY}/test_circuit.py", *WORKERS),
    "gate": (
        f"{LIBRARY}/test_gate.py",
        *SIMULATED,
        f"{LIBRARY}/test_changing_queues.py::test_a_change_waits_for_what_workers_have_in_hand",
    ),
    "sharing": (f"{UNIT}/test_sharing.py",),
    "deadlines": (
        f"{UNIT}/test_firing_deadlines.py",
        ERRORS,
        f"{LIBRARY}/test_consumer.py::test_a_deadline_fires_once_with_two_workers",
    ),
}
INBOX_FILES: dict[str, tuple[str, ...]] = {
    "forks": (FORGED, f"{LIBRARY}/test_receive_without_events.py", FORKS),
    "delivery": (f"{UNIT}/test_reading_deliveries.py", f"{UNIT}/test_delivery_properties.py", FORGED),
    "look": (*REACTIONS, FORGED),
    "reactor": (f"{UNIT}/test_reacting.py", *REACTIONS, f"{LIBRARY}/test_outside_operations.py"),
    "operation": OUTSIDE,
    "pace": OUTSIDE,
    "circuit": OUTSIDE,
}
RELAY_FILES: dict[str, tuple[str, ...]] = {
    "in_flight": IN_FLIGHT,
    "progress": (f"{UNIT}/test_progress.py", *PUBLISHED),
    "confirms": IN_FLIGHT,
    "window": PUBLISHED,
    "dispatch": (f"{UNIT}/test_dispatch.py", BATCHES, *PUBLISHED, *REFUSED),
    "publish_loop": (f"{UNIT}/test_publish_loop.py", *PUBLISHED, *REFUSED),
    "detached": DETACHED,
    "catch_up": (f"{UNIT}/test_catch_up.py", f"{UNIT}/test_catch_up_confirms.py", *DETACHED),
}
STORE_FILES: dict[str, tuple[str, ...]] = {
    "flush": (*STORE, f"{LIBRARY}/test_http_idempotency.py"),
    "transaction": (*UNITS_OF_WORK, *STORE, f"{LIBRARY}/test_http_idempotency.py", FORGED),
    "lazy_transaction": STORE,
    "aggregates": AGGREGATES,
    "cache": (f"{UNIT}/test_aggregate_cache.py", *REACTIONS),
    "hash_chain": AGGREGATES,
    "fingerprint": (f"{UNIT}/test_fingerprints.py", f"{LIBRARY}/test_snapshots.py"),
}
ROOMS = {"store": STORE_FILES, "inbox": INBOX_FILES, "consumer": CONSUMER_FILES, "relay": RELAY_FILES}
TARGETS = {
    f"src/ordersaga/{room}/{name}.py": (*WITHOUT_SLOW, *tests)
    for room, files in ROOMS.items()
    for name, tests in files.items()
}
