"""Metrics are read, compared and summed up as Prometheus would; the setting MONITORED says what is wrong with it."""

import pytest

from ordersaga.runtime.settings import MissingSetting
from projections.monitor.readings import Reading, p95, per_second, read
from projections.monitor.targets import Target, read_targets

SECONDS = "http_server_request_duration_seconds"
TEXT = f"""\
# HELP {SECONDS} Time from request to answer
# TYPE {SECONDS} histogram
{SECONDS}_bucket{{le="0.1",method="GET",route="/orders",status="200"}} 90.0
{SECONDS}_bucket{{le="0.2",method="GET",route="/orders",status="200"}} 100.0
{SECONDS}_bucket{{le="+Inf",method="GET",route="/orders",status="200"}} 100.0
{SECONDS}_count{{method="GET",route="/orders",status="200"}} 100.0
{SECONDS}_count{{method="PUT",route="/orders",status="200"}} 5.0
{SECONDS}_count{{method="GET",route="/readyz",status="200"}} 7000.0
process_start_time_seconds 1000.0
something_else_total 1.0
"""
EARLIER = Reading(
    1.0,
    {
        ("process_start_time_seconds",): 1000.0,
        (f"{SECONDS}_bucket", "0.1"): 50.0,
        (f"{SECONDS}_bucket", "0.2"): 50.0,
        (f"{SECONDS}_bucket", "+Inf"): 50.0,
        (f"{SECONDS}_count", "200"): 55.0,
    },
)
COUNT = (f"{SECONDS}_count", "200")


def test_labels_that_do_not_matter_are_added_up_and_health_checks_left_out() -> None:
    reading = read(TEXT, 0.0)
    assert reading.get(*COUNT) == 105
    assert reading.labels(f"{SECONDS}_count") == ["200"]
    assert reading.get("something_else_total") is None


def test_a_rate_is_the_increase_over_the_time_between() -> None:
    assert per_second(EARLIER, read(TEXT, 11.0), *COUNT) == 5


def test_the_95th_percentile_is_interpolated_in_its_bucket() -> None:
    # Of the 50 since then 40 took up to 0.1 s and 10 up to 0.2 s; the 47.5th is 7.5 tenths into the second bucket.
    assert p95(EARLIER, read(TEXT, 11.0)) == pytest.approx(0.175)


def test_what_was_asked_beyond_the_last_bucket_counts_as_its_bound() -> None:
    slow = read(f'{SECONDS}_bucket{{le="0.1"}} 0\n{SECONDS}_bucket{{le="+Inf"}} 9\n', 2.0)
    assert p95(Reading(1.0, {}), slow) == 0.1


def test_a_process_that_was_started_again_has_no_rate_yet() -> None:
    again = Reading(2.0, {**EARLIER.figures, ("process_start_time_seconds",): 2000.0})
    assert per_second(EARLIER, again, *COUNT) is None
    assert p95(EARLIER, again) is None


def test_a_monitored_process_has_a_name_a_kind_and_an_address() -> None:
    targets = read_targets(" orders-api=http://127.0.0.1:8001/ \n projections-worker=http://127.0.0.1:9000 ")
    assert targets == (
        Target("orders-api", "http://127.0.0.1:8001"),
        Target("projections-worker", "http://127.0.0.1:9000"),
    )
    assert [target.kind for target in targets] == ["api", "worker"]
    [first] = read_targets("orders-relay-0=http://orders-relay-0.orders-relay:8080")
    assert (first.name, first.kind) == ("orders-relay-0", "relay")


@pytest.mark.parametrize("text", ["orders-api", "=http://host:1", "a=ftp://host", "a=http://", "a=http://x a=http://y"])
def test_what_names_no_process_of_its_own_is_quoted(text: str) -> None:
    with pytest.raises(MissingSetting) as wrong:
        read_targets(text)
    assert repr(text.split()[-1]) in str(wrong.value)
    assert "MONITORED" in str(wrong.value)
