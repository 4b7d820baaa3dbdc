"""The audit over HTTP: the same answers as the commands, for auditors and operators alone."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from flask_openapi3.blueprint import APIBlueprint
from werkzeug.test import TestResponse

from devstack.keys import audit_key_pem
from devstack.state import State
from ordersaga.audit.note import Signer
from ordersaga.audit.records import read_export
from ordersaga.audit.sealed_log import LogFiles
from ordersaga.audit.sealing import SealingLoop
from ordersaga.http import app as web
from ordersaga.runtime.settings import url_variable
from projections.audit import api as audit
from projections.audit.sources import Sources
from projections.audit.trail import TrailFilter
from projections.dashboard.pages.audit import proof, update
from projections.dashboard.reading import Reader
from projections.dashboard.services import Services
from projections.monitor.expected import of_the_shop
from projections.monitor.limits import AlarmLimits
from projections.monitor.monitor import Monitor
from projections.monitor.watch import Watch
from projections.service import projections
from projections.settings import ProjectionsSettings
from tests.shop.support.audited_shop import audited_shop
from tests.shop.support.reconciled_shop import Shop
from tests.support.api import keys, token
from tests.support.audited import judged
from tests.support.databases import Databases
from tests.support.wait import until

NOBODYS = UUID("85c68938-b582-4580-875a-10b202bbf0a8")

Get = Callable[..., TestResponse]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    return State(tmp_path_factory.mktemp("state")).create()


@pytest.fixture(scope="module")
def shop(databases: Databases, state: State) -> Iterator[Shop]:
    with audited_shop(databases, state) as shop:
        yield shop


@pytest.fixture
def app(shop: Shop, state: State, monkeypatch: pytest.MonkeyPatch) -> Iterator[web.Api]:
    """With the rights that the process has: its own role at home, the auditor's at the services."""
    for name, party in shop.parties.items():
        monkeypatch.setenv(url_variable(name), party.database.auditor_url)
    monkeypatch.setenv(url_variable("projections"), shop.projections.url)
    monkeypatch.setenv("TOKEN_PUBLIC_KEY", keys()[1])
    monkeypatch.setenv("AUDIT_CHECKPOINTS", str(state.directory / "audit"))
    app = web.create_app(projections, APIBlueprint("nothing", __name__), "Audit", roles=["customer"])
    audit.mount(app, Sources.of(app.database, app.settings_as(ProjectionsSettings).audit_checkpoints))
    yield app
    app.database.pool.close()


@pytest.fixture
def get(app: web.Api) -> Get:
    client = app.test_client()

    def get(path: str, role: str = "auditor", **query: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {token(role)}"}
        return client.get(f"/api/audit/{path}", query_string=query or None, headers=headers, buffered=True)

    return get


def test_the_trail_comes_in_pages_that_together_are_all_of_it(get: Get, shop: Shop) -> None:
    whole = get("trail", limit=500).json
    assert whole is not None
    assert whole["next"] is None
    paged: list[Any] = []
    page = get("trail", limit=7).json
    while page:
        paged += page["entries"]
        page = page["next"] and get(page["next"].removeprefix("/api/audit/")).json
    assert paged == whole["entries"]
    full = get("trail", limit=len(paged)).json
    assert full is not None
    assert full["next"] is None, "a full last page has no next one"
    assert [entry["what"] for entry in whole["entries"] if entry["who"] == "bob"] == ["operator.skip"]
    order = shop.saga.orders[1]
    of_order = get("trail", order=order).json
    assert of_order is not None
    assert {entry["key"] for entry in of_order["entries"]} == {str(order)}


def test_a_database_that_is_away_is_named_and_takes_only_its_own_actions_with_it(app: web.Api, get: Get) -> None:
    whole = get("trail", limit=500).json
    assert whole is not None
    assert whole["missing"] == []
    sources = app.extensions[audit.EXTENSION]
    away = {**sources.stores, "order_service": "postgresql://nobody@127.0.0.1:1/order_service"}
    app.extensions[audit.EXTENSION] = replace(sources, stores=away)
    rest = get("trail", limit=500).json
    assert rest is not None
    assert rest["missing"] == ["order_service"]
    assert rest["entries"] == [entry for entry in whole["entries"] if entry["who"] != "bob"] != whole["entries"]
    for path in ("export?format=csv", f"state/{NOBODYS}?as_of=1"):
        answer = get(path)
        assert answer.status_code == 503
        assert "The database of order_service does not answer." in answer.text


def test_the_dashboard_shows_what_there_is_of_the_audit(app: web.Api) -> None:
    """Without a service's database, and without the directory of the logs."""
    sources = app.extensions[audit.EXTENSION]
    away = {"order_service": "postgresql://nobody@127.0.0.1:1/order_service"}
    given, monitor = replace(sources, stores=away, directory=None), Monitor([], "")
    reader = Reader(given, monitor, Watch(monitor, given, of_the_shop(), AlarmLimits()), Services({}))
    entries, missing = reader.trail(TrailFilter(), None, 500)
    assert (len(entries) > 0, missing) == (True, ["order_service"])
    shown = update(entries, missing, 0)[0]
    assert "order_service" in shown[0].children[1]
    assert "AUDIT_CHECKPOINTS" in str(proof(reader)[0])


def test_why_and_state_answer_as_the_commands_do(get: Get, shop: Shop) -> None:
    order = shop.saga.orders[0]
    reserved = next(m for m in shop.messages_of(order) if m.contract == "inventory.stock_reserved.v1")
    first = get(f"why/{reserved.id}").json
    assert first is not None
    assert (first["contract"], first["effects"][0]["asked"]) == ("orders.order_placed.v1", True)
    then = get(f"state/{order}", as_of=reserved.time.isoformat()).json
    assert then is not None
    assert (then["known"]["state"], then["known"]["waits_for"]) == ("placed", "payment")
    at_first = get(f"state/{order}", as_of=1).json
    assert at_first is not None
    assert (at_first["recorded"]["state"], at_first["known"]) == ("placed", None)


def test_an_export_over_http_is_proof(get: Get, shop: Shop, state: State) -> None:
    text = get("export").text
    assert judged(read_export(io.StringIO(text)), Signer.from_pem(audit_key_pem(state)).verifier) == []
    table = get("export", format="csv", order=shop.saga.orders[0])
    assert table.mimetype == "text/csv"
    assert table.text.startswith("time,id,who,what,key,why,where,cause,correlation,outcome")
    assert all(json.loads(line)["who"] == "bob" for line in get("export", actor="bob").text.splitlines())


def test_the_sealers_last_verification_is_shown(get: Get, shop: Shop, state: State) -> None:
    nothing_yet = get("verification").json
    assert nothing_yet is not None
    assert nothing_yet["clean"] is None
    signer, stop = Signer.from_pem(audit_key_pem(state)), threading.Event()
    threads = []
    for name, party in shop.parties.items():
        files = LogFiles(state.directory / "audit", name)
        sealing = SealingLoop(files, party.database.auditor_url, signer, 0.01, stop)
        threads += [threading.Thread(target=task) for task in (sealing.run, sealing.keep_verifying)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: (get("verification").json or {})["clean"] is not None, seconds=30)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    verified = get("verification").json
    assert verified is not None
    assert verified["clean"] is True
    assert verified["stores"]["order_service"]["sealed"] > 0


def test_a_source_that_is_not_there_is_named(app: web.Api, get: Get) -> None:
    app.extensions[audit.EXTENSION] = Sources(app.database, {"order_service": "postgresql://127.0.0.1:1/away"}, None)
    for path, said in (("verification", "AUDIT_CHECKPOINTS"), ("export", "database")):
        answer = get(path)
        assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
        assert said in answer.text


@pytest.mark.parametrize("path", ["trail", f"why/{NOBODYS}", f"state/{NOBODYS}?as_of=1", "verification", "export"])
def test_a_customer_is_refused(get: Get, path: str) -> None:
    assert get(path, role="customer").status_code == 403


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("trail", {"order": NOBODYS}, 404),
        ("trail", {"type": "order_placed"}, 422),
        ("trail", {"since": "yesterday"}, 422),
        ("trail", {"after": "x"}, 422),
        ("trail", {"unknown": 1}, 422),
        ("export", {"order": NOBODYS}, 404),
        (f"why/{NOBODYS}", {}, 404),
        (f"state/{NOBODYS}", {"as_of": 1}, 404),
        (f"state/{NOBODYS}", {}, 422),
    ],
)
def test_what_cannot_be_answered_is_a_problem_that_says_why(
    get: Get, path: str, query: dict[str, Any], status: int
) -> None:
    answer = get(path, **query)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.json
    assert answer.json["detail"]
