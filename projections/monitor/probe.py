"""The probe of one process: asks over HTTP for its readiness and metrics."""

import time
from dataclasses import dataclass

import requests

from projections.monitor.readings import Reading, read
from projections.monitor.snapshot import State
from projections.monitor.targets import Target

TIMEOUTS = (0.5, 2.0)
"""Timeouts in seconds: to connect, and between two parts of an answer."""


@dataclass(frozen=True, slots=True)
class ProcessAnswer:
    """The answer of a process; `reading` is None when it has no metrics."""

    state: State
    problems: tuple[str, ...]
    reading: Reading | None


class Probe:
    """Asks one process over a persistent connection; one request at a time."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._http = requests.Session()
        self._http.trust_env = False

    def ask(self) -> ProcessAnswer:
        """Ask for readiness and metrics; a failure is part of the answer."""
        try:
            reading = self._metrics()
            state, problems = self._readiness()
        except requests.Timeout:
            return ProcessAnswer("down", ("It runs, but does not answer.",), None)
        except requests.ConnectionError:
            return ProcessAnswer("down", ("Nothing listens at its address.",), None)
        except (requests.RequestException, ValueError) as error:
            return ProcessAnswer("not ready", (f"It answers what cannot be understood: {error}.",), None)
        return ProcessAnswer(state, problems, reading)

    def _readiness(self) -> tuple[State, tuple[str, ...]]:
        answer = self._get("/readyz")
        if answer.status_code == 200:
            return "up", texts_of(answer, "warnings")
        return "not ready", texts_of(answer, "problems") or (f"It answers /readyz with {answer.status_code}.",)

    def _metrics(self) -> Reading | None:
        answer = self._get("/metrics")
        return read(answer.text, time.monotonic()) if answer.status_code == 200 else None

    def _get(self, path: str) -> requests.Response:
        return self._http.get(self.target.url + path, timeout=TIMEOUTS, allow_redirects=False)

    def close(self) -> None:
        self._http.close()


def texts_of(answer: requests.Response, name: str) -> tuple[str, ...]:
    """The problems or warnings that /readyz lists; empty when something else answered, such as a proxy."""
    try:
        return tuple(map(str, answer.json()[name]))
    except (ValueError, LookupError, TypeError):
        return ()
