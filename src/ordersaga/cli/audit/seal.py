"""`ordersaga audit seal`: seal what the services record."""

from pathlib import Path

import click

from ordersaga.audit import daemon
from ordersaga.cli.app import AUDITOR, Application
from ordersaga.cli.audit.options import log_option
from ordersaga.cli.errors import CannotRunHere
from ordersaga.cli.options import services_argument
from ordersaga.service import Service


@click.command()
@services_argument
@log_option
@click.pass_obj
def seal(application: Application, services: tuple[Service, ...], log_directory: Path | None) -> None:
    """Seal every event of SERVICEs, or of all, into a log outside the databases, until SIGTERM or Ctrl-C.

    A checkpoint signed with AUDIT_SIGNING_KEY follows each window of AUDIT_SEAL_SECONDS (5), and the stores are
    verified against their logs from time to time. Each log has one sealer. It waits for servers that are away, and
    appends nothing to a log that is damaged. HEALTH_PORT serves /healthz, /readyz and /metrics on loopback.
    """
    urls = application.urls(services or application.with_outbox, AUDITOR)
    directory = log_directory or application.audit_directory()
    try:
        raise SystemExit(daemon.serve(urls, directory, application.audit_signer()))
    except OSError as error:
        raise CannotRunHere(f"The sealer cannot start: {error}") from None
