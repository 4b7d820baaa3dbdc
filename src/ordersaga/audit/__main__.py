"""`python -m ordersaga.audit [DATABASE ...]`: seal what services record, until SIGTERM or SIGINT."""

import sys

from ordersaga.audit.settings import SealerSettings
from ordersaga.runtime.extras import how_to_install
from ordersaga.runtime.settings import MissingSetting, database_urls, distinct_databases, read_settings, url_variable

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
SEE = "See python -m ordersaga.audit --help"


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
    urls = urls_of_environment(names)
    return serve(urls, settings.directory, signer_of(settings))


def urls_of_environment(names: list[str]) -> dict[str, str]:
    """Database -> URL, of those named or of all that the environment names. Raises MissingSetting."""
    for name in names:
        if name.startswith("-"):
            raise MissingSetting(f"There is no option {name}. {SEE}")
    urls = database_urls()
    if not urls:
        raise MissingSetting(f"No <NAME>_DATABASE_URL is set, so there is nothing to seal. {SEE}")
    for name in names:
        if name not in urls:
            raise MissingSetting(f"{url_variable(name)} is not set; it is needed to seal {name}.")
    return distinct_databases({name: urls[name] for name in names or sorted(urls)})


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.stdout.write(USAGE)
        sys.exit(0)
    try:
        sys.exit(main(sys.argv[1:]))
    except (MissingSetting, OSError) as wrong:
        sys.stderr.write(f"audit sealer: {wrong}\n")
        sys.exit(2)
