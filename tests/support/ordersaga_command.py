"""`ordersaga --app ...` in a process of its own, which must not import anything of the shop."""

import os
import subprocess
import sys
from dataclasses import dataclass

from tests.support.workers import ROOT

PROGRAM = """
import sys
from ordersaga.cli.main import main
try:
    main(prog_name="ordersaga")
finally:
    loaded = {name.partition(".")[0] for name in sys.modules}
    strangers = loaded & {"contracts", "devstack", "projections", "relay", "shop", "order_service", "payment_service"}
    assert not strangers, strangers
"""


@dataclass
class OrdersagaCommand:
    """Call it with arguments; another exit code than `expect` fails the test."""

    app: str
    variables: dict[str, str]
    database: str = ""
    """The variable that `url` is given in."""

    @property
    def environment(self) -> dict[str, str]:
        return {"ORDERSAGA_APP": self.app, **self.variables}

    def __call__(self, *arguments: object, url: str = "", expect: int = 0) -> str:
        """Returns what it printed, on stdout and then on stderr."""
        environment = {**os.environ, **self.environment, **({self.database: url} if url else {})}
        command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr
