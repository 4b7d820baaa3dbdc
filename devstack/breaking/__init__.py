"""`./ordersaga break`: scenarios that cause a failure of a running stack, watch it, and remove the cause.

scenario.py    what a scenario is, and what it gets: the running stack with its orders
run.py         the run of a scenario, from the cause to the verdict, as text or JSON
frozen.py      a process that is stopped for a while
The other files have one scenario each; command.py is the command.
"""
