"""`python -m ordersaga.cli`: the command line, as the console script `ordersaga` runs it."""

from ordersaga.cli.main import main

main(prog_name="ordersaga")
