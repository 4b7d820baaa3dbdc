"""`python -m devstack`: the command line, which the launcher `ordersaga` runs."""

from devstack.cli import main
from ordersaga.cli.completion import VARIABLE

main(prog_name=main.name, complete_var=VARIABLE)
