"""`python -m payment_service.simulator`: a card processor on the local machine."""

import signal
import socket
import sqlite3
import sys
from pathlib import Path
from typing import NoReturn

import click
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from payment_service.simulator.api import create_app
from payment_service.simulator.ledger import Ledger


class QuietHandler(WSGIRequestHandler):
    disable_nagle_algorithm = True  # headers and body are two writes; the second would wait 40 ms for an ACK

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The ledger is the log."""


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="Port to listen on; 0 takes a free one.")
@click.option(
    "--ledger",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File that keeps every charge and refund; made when missing, kept across restarts.",
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; stay on loopback outside containers."
)
def main(port: int, ledger: Path, host: str) -> None:
    """Simulate a card processor that speaks the part of Stripe's HTTP interface that the payment service uses.

    \b
    POST /v1/payment_intents               create, once per Idempotency-Key; confirm=true charges too
    POST /v1/payment_intents/<id>/confirm  charge the card, once per intent
    POST /v1/payment_intents/<id>/cancel
    GET  /v1/payment_intents/<id>
    GET  /v1/payment_intents/search?query=metadata['order_id']:'<id>'  those older than 60 s
    POST /v1/refunds                       refund a charge, once per Idempotency-Key
    GET  /v1/refunds?charge=<id>, /v1/refunds/<id>
    GET  /ledger[?order_id=<id>]           every charge and refund, as JSON
    POST /clock                            move the clock forward by advance=<seconds>
    GET  /healthz, /readyz

    All but the last two want the header 'Authorization: Bearer sk_test_<anything>'. As Stripe does, it stores each
    answer under its key, also a 500, and forgets keys after 24 hours.

    \b
    Cards (payment_method):
      pm_card_visa                             captured
      pm_card_chargeDeclined                   declined: card_declined
      pm_card_chargeDeclinedInsufficientFunds  declined: insufficient_funds
      pm_sim_delay_<ms>                        captured at once, answered late
      pm_sim_timeout_after_charge              captured, the first request is never answered
      pm_sim_error_500_<n>                     the first n requests (default 1) fail, then captured
      pm_sim_stored_500_<n>                    a stored 500 for each of n keys, then captured
      pm_sim_charged_500                       captured, the answer is a stored 500
      pm_sim_intent_500_<n>                    a stored 500 for each of n creations, then captured
      pm_sim_rate_limited_<n>                  429 for the first n requests, then captured
      pm_sim_silent                            never answered, nothing is charged

    \b
    Cards for refunds; all are captured, and a second refund of the charge succeeds:
      pm_sim_refund_pending                    pending, after two seconds succeeded
      pm_sim_refund_failed                     failed
      pm_sim_refund_pending_failed             pending, after two seconds failed
      pm_sim_refund_failed_late                succeeded, after two seconds failed
      pm_sim_refund_500                        succeeded, the answer is a stored 500
      pm_sim_disputed                          refused: charge_disputed
    """
    app = create_app(open_ledger(ledger))
    with listen(host, port) as listener:
        serve(app, listener)


def open_ledger(file: Path) -> Ledger:
    try:
        return Ledger(file)
    except sqlite3.Error as error:
        raise click.UsageError(
            f"Cannot use {file} as the ledger: {error}. Its directory must exist and be writable, and no other "
            "simulator may have it open."
        ) from error


def listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise click.UsageError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port, or 0 for a free one."
        ) from error


def serve(app: Flask, listener: socket.socket) -> None:
    host, port = listener.getsockname()
    server = make_server(host, port, app, threaded=True, request_handler=QuietHandler, fd=listener.fileno())
    signal.signal(signal.SIGTERM, end)
    click.echo(f"Card processor simulator listens on http://{host}:{port}")
    server.serve_forever()


def end(*_: object) -> NoReturn:
    """A second signal while threads are being joined would only make a traceback."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


if __name__ == "__main__":
    main()
