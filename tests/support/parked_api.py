"""The API of a service that serves /parked and nothing else."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask_openapi3.blueprint import APIBlueprint

from ordersaga.http.app import create_app
from ordersaga.http.parked import mount_parked
from tests.support.api import environment, token
from tests.support.counting import service
from tests.support.workers import Counting

Call = Callable[..., Any]
OPERATOR = token("operator", "olga")


def calling_parked(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """Yields call(method, path, caller, status, **options) -> JSON, with the rights of the service.

    The path is below /parked, or begins with /consumer.
    """
    for name, text in environment(counting.database, 0).items():
        monkeypatch.setenv(name, text)
    app = create_app(service, APIBlueprint("nothing", __name__), "Counting", roles=["customer"])
    mount_parked(app)

    def call(method: str, path: str, caller: str = OPERATOR, status: int = 200, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {caller}"}
        whole = path if path.startswith("/consumer") else f"/parked{path}"
        done = app.test_client().open(whole, method=method, headers=headers, **options)
        assert done.status_code == status, done.text
        return done.get_json()

    yield call
    app.database.pool.close()
