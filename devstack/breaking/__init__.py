"""`./ordersaga break`: scenarios that break a running stack on purpose, watch it, and mend it.

scenario.py    what a scenario is, and what it gets: the running stack with its orders
run.py         from the cause to the verdict, as text or JSON
frozen.py      a process that is stopped for a while, and goes on whatever happens to us
The other files have one scenario each; command.py is the command.
"""
