"""The signing key of tokens is changed under a running API, and nobody is refused until the old key is dropped."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from click.testing import CliRunner

from devstack.demo.customers import token as token_of
from devstack.keys import FILE as PRIVATE_FILE
from devstack.state import State
from devstack.token import token as command
from devstack.token_keys import public_keys, public_keys_file, rotate
from ordersaga.http.tokens import Tokens
from ordersaga.runtime.settings import Settings
from tests.conftest import AnyServers
from tests.shop.support.streams import listening
from tests.support.api import Api, running
from tests.support.databases import Databases
from tests.support.wait import until

READ = "/api/events?limit=1"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    return State(tmp_path_factory.mktemp("state")).create()


@pytest.fixture(scope="module")
def api(servers: AnyServers, state: State, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    databases, file = Databases(servers.postgres), str(public_keys_file(state))
    try:
        directory = tmp_path_factory.mktemp("api")
        with running(databases("projections"), directory, TOKEN_PUBLIC_KEY_FILE=file, HTTP_STREAMS="2") as api:
            yield api
    finally:
        databases.drop_clones()


def said(state: State, *arguments: str, code: int = 0, typed: str = "") -> str:
    done = CliRunner().invoke(command, ["rotate", "--state", str(state.directory), *arguments], input=typed)
    assert done.exit_code == code, done.output
    return done.output


@contextmanager
def asking(api: Api, state: State, *given: str) -> Iterator[list[int]]:
    """The answers to requests with these tokens and with new ones, one after the other as long as the block lasts."""
    answers: list[int] = []
    stop = Event()

    def ask() -> None:
        while not stop.is_set():
            tokens = [*given, token_of(state, "auditor", "aud")]
            answers.extend([api.call("GET", READ, token).status_code for token in tokens])

    thread = Thread(target=ask)
    thread.start()
    try:
        until(lambda: answers)
        yield answers
        seen = len(answers)
        until(lambda: len(answers) > seen + len(given) + 1)
    finally:
        stop.set()
        thread.join()


def test_old_tokens_cookies_and_streams_last_until_their_key_is_dropped_and_new_ones_are_valid_at_once(
    api: Api, state: State
) -> None:
    old = token_of(state, "auditor", "aud")
    signed_in = api.call("POST", "/sign-in", data={"token": old})
    cookie = {"Cookie": signed_in.headers["Set-Cookie"].partition(";")[0]}
    with listening(api, old) as stream:
        with asking(api, state, old) as answers:
            for _ in range(2):
                said(state)
        assert set(answers) == {200}
        assert api.call("GET", READ, headers=cookie).status_code == 200
        with asking(api, state) as answers:
            said(state, "--drop-old", "--yes")
        assert set(answers) == {200}
        assert not list(stream.blocks())
    refused = api.call("GET", READ, old)
    assert refused.status_code == 401
    assert "names a key that is not accepted" in refused.json()["detail"]
    assert api.call("GET", READ, headers=cookie).status_code == 401


@pytest.fixture
def keys(tmp_path: Path) -> State:
    return State(tmp_path / "keys").create()


def kids(state: State) -> list[str]:
    return [key["kid"] for key in json.loads(said(state, "--list", "--json"))["keys"]]


def verified(state: State, *tokens: str) -> bool:
    checker = Tokens(Settings(token_public_key=public_keys(state)), ["customer"])
    return all(checker.verify(token).subject == "alice" for token in tokens)


def test_the_list_names_the_key_that_signs_first_and_since_when_the_others_do_not(keys: State) -> None:
    [first] = kids(keys)
    said(keys)
    [second, old] = kids(keys)
    assert old == first != second
    signing, verifying = said(keys, "--list").splitlines()
    assert signing == f"{second}  signs and verifies"
    assert verifying.startswith(f"{first}  verifies; replaced at 20")


def test_dropping_asks_first_and_names_what_is_missing(keys: State, tmp_path: Path) -> None:
    assert "no earlier key" in said(keys, "--drop-old", code=1)
    said(keys)
    assert "Refuse all of their tokens" in said(keys, "--drop-old", code=1, typed="n\n")
    assert len(kids(keys)) == 2
    said(keys, "--drop-old", typed="y\n")
    assert len(kids(keys)) == 1
    assert "not both" in said(keys, "--drop-old", "--list", code=2)
    assert "No stack has run" in said(State(tmp_path / "nowhere"), code=1)


def test_a_rotation_that_was_killed_half_way_loses_no_key(keys: State, monkeypatch: pytest.MonkeyPatch) -> None:
    before = token_of(keys, "customer", "alice")
    with monkeypatch.context() as patched:
        patched.setattr(State, "write_text", killed_at(PRIVATE_FILE))
        with pytest.raises(KeyboardInterrupt):
            rotate(keys)
    assert verified(keys, before, token_of(keys, "customer", "alice"))
    assert len(kids(keys)) == 1
    said(keys)
    assert verified(keys, before, token_of(keys, "customer", "alice"))
    assert len(kids(keys)) == 2


def killed_at(name: str) -> Callable[[State, str, str], Path]:
    write = State.write_text

    def write_or_die(state: State, file: str, text: str) -> Path:
        if file == name:
            raise KeyboardInterrupt
        return write(state, file, text)

    return write_or_die


def test_in_containers_the_public_keys_are_copied_to_where_the_services_read_them(keys: State, tmp_path: Path) -> None:
    copy = tmp_path / "token_public_key.pem"
    options = ["--state", str(keys.directory), "--public-keys", str(copy)]
    for more in ([], ["--drop-old", "--yes"]):
        assert CliRunner().invoke(command, [*options, "rotate", *more]).exit_code == 0
        assert copy.read_text() == public_keys(keys)
    token = CliRunner().invoke(command, [*options, "--role", "customer", "--subject", "alice"]).output.strip()
    assert verified(keys, token)
    assert "Missing option '--role'" in CliRunner().invoke(command, options).output
