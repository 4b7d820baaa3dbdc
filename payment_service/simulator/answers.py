"""Answers of the simulator as Flask responses, and the answer that never comes."""

import json
import select
import socket
from typing import Any

from flask import Response, request

from payment_service.simulator.shapes import RefusedRequest, error_body
from payment_service.simulator.statements import SimulatedAnswer

LONGEST_SILENCE_SECONDS = 600


def failure(message: str = "The test card asks for this failure.", stored: bool = True) -> SimulatedAnswer:
    return SimulatedAnswer(500, error_body({"type": "api_error", "message": message}), stored=stored)


def refusal(refused: RefusedRequest, stored: bool = True) -> SimulatedAnswer:
    return SimulatedAnswer(refused.status, error_body(refused.error), stored=stored)


def response(answer: SimulatedAnswer) -> Response:
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else {}
    if answer.status == 500 and answer.stored:  # repeating the request would only replay it
        headers["Stripe-Should-Retry"] = "false"
    return Response(answer.body, answer.status, headers, mimetype="application/json")


def json_response(body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), mimetype="application/json")


def missing(kind: str, name: str | None, param: str) -> RefusedRequest:
    return RefusedRequest(f"No such {kind}: '{name}'", status=404, code="resource_missing", param=param)


def wait_until_client_hangs_up() -> None:
    connection: socket.socket = request.environ["werkzeug.socket"]
    select.select([connection], [], [], LONGEST_SILENCE_SECONDS)
