"""`python -m stack`: the command line, which the launcher `ordersaga` runs."""

from stack.cli import main

main(prog_name="ordersaga")
