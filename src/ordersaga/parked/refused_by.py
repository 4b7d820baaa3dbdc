"""Who refused a parked message: a reaction of the service's group, or the broker when the service's relay published it.

A message that the relay does not even send counts as refused by the broker: an operator treats both alike.

The group's workers write `parked_messages`, the active relay writes `undeliverable`; operators see the same columns of
both.
"""

from typing import Literal, LiteralString, get_args

RefusedBy = Literal["reaction", "broker"]
REFUSED_BY: tuple[RefusedBy, ...] = get_args(RefusedBy)

REACTION = """
select position, message_id, key, contract, state, attempts, error, place, message, traceback, parked_at,
    next_attempt_at, tried_at, edits, held, failed_at is not null or state = 'dead' as has_failed,
    coalesce(failed_at, parked_at) as last_failed_at, routing_key, headers, body, original_body,
    case when pg_input_is_valid(headers ->> 'ce-correlationid', 'uuid')
        then (headers ->> 'ce-correlationid')::uuid end as correlation_id
from parked_messages
"""
BROKER_STATE = "case when kind = 'waits' then 'waiting' when next_attempt_at is null then 'dead' else 'retrying' end"
BROKER = f"""
select position, message_id, key, contract, {BROKER_STATE} as state, attempts,
    case kind when 'waits' then '' else kind end as error, case kind when 'waits' then '' else contract end as place,
    reason as message, '' as traceback, refused_at as parked_at, next_attempt_at, null::timestamptz as tried_at,
    0::smallint as edits, held, attempts > 0 as has_failed, refused_at as last_failed_at,
    '' as routing_key, null::jsonb as headers,
    convert_to(body, 'UTF8') as body, null::bytea as original_body, correlation_id
from undeliverable
"""  # noqa: S608 - a constant


def failure_of(error: LiteralString, contract: LiteralString, place: LiteralString) -> LiteralString:
    """The SQL of the name of a failure group, of the columns that have contract, error, and file and function.

    The line of the place is no part of it, because a deploy moves it.
    """
    parts = rf"{error}, coalesce({contract}, ''), regexp_replace({place}, ':\d+ ', ' ')"
    return rf"left(md5(concat_ws(E'\n', {parts})), 8)"


def on_hold(failure: LiteralString) -> LiteralString:
    """The SQL of whether a person holds a message, or its failure group of this name."""
    return f"coalesce(held, {failure} in (select failure from failure_notes where held_since is not null))"  # noqa: S608


FAILURE = failure_of("error", "contract", "place")
ON_HOLD = on_hold(FAILURE)
ROWS: dict[RefusedBy, LiteralString] = {"reaction": f"({REACTION}) as parked", "broker": f"({BROKER}) as parked"}
"""The subquery with the columns of parked messages, by who refused them."""


def statement(template: LiteralString, by: RefusedBy) -> LiteralString:
    """An SQL template with the rows for `{rows}`, the name of a row's failure group for `{failure}`, and
    whether a person keeps it from being tried for `{on_hold}`."""
    return template.format(rows=ROWS[by], failure=FAILURE, on_hold=ON_HOLD)
