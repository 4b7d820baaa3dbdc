"""`python -m devstack`: the command line, which the launcher `ordersaga` runs."""

from devstack.cli import main

main(prog_name=main.name)
