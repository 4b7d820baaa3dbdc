"""`python -m ordersaga.audit [DATABASE ...]`: seal what services record, until SIGTERM or SIGINT."""

import sys

from ordersaga.audit.settings import SealerSettings
from ordersaga.runtime.extras import how_to_install
from ordersaga.runtime.settings import MissingSetting, chosen_databases, read_settings

USAGE = """usage: python -m ordersaga.audit [DATABASE ...]

Seals every event of the services' stores into a log outside the databases, with a signed checkpoint behind each
window, and verifies the stores against it from time to time.

  DATABASE             a <NAME> of the environment in small letters; without any, all that it names. A read side
                       records no events: leave it out, or use `ordersaga --app ... audit seal`, which does.

Environment:
  <NAME>_DATABASE_URL  one for each store: postgresql://auditor:password@host:port/name
                       The role needs what `ordersaga migrate` grants to `auditor`.
  AUDIT_SIGNING_KEY    Ed25519 private key as PEM
  AUDIT_CHECKPOINTS    directory of the logs; keep copies of its *.checkpoints where no administrator of this
                       machine can change them
  AUDIT_SEAL_SECONDS   between two windows (default 5)
  HEALTH_PORT          serves /healthz, /readyz and /metrics on loopback; unset: none
  LOG_LEVEL, LOG_FORMAT=console|json

The sealer waits for servers that are away. It reports a damaged log on /readyz and appends nothing to it.
SIGTERM or Ctrl-C: finishes the window under way, exits 0. Exit 2: something must be set first.
"""


def main(names: list[str]) -> int:
    """Raises MissingSetting."""
    try:
        from ordersaga.audit.daemon import serve
        from ordersaga.audit.note import signer_of
    except ModuleNotFoundError as missing:
        if not (install := how_to_install(missing)):
            raise
        raise MissingSetting(f"The sealer needs the package {missing.name}: {install}") from None
    settings = read_settings(SealerSettings)
    urls = chosen_databases(names, "seal", "python -m ordersaga.audit --help")
    return serve(urls, settings.directory, signer_of(settings))


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.stdout.write(USAGE)
        sys.exit(0)
    try:
        sys.exit(main(sys.argv[1:]))
    except (MissingSetting, OSError) as wrong:
        sys.stderr.write(f"audit sealer: {wrong}\n")
        sys.exit(2)
