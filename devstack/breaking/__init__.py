"""`./ordersaga break`: scenarios that cause a failure of a running stack, watch it, and remove the cause.

scenario.py    what a scenario is
scene.py       what it gets: the running stack with its orders
scenarios/     one file each; `./ordersaga chaos` runs the same ones, see chaos/narrative
run.py         the run of a scenario, from the cause to the verdict, as text or JSON
frozen.py      processes that are stopped for a while
channel.py     a channel to the broker, past relays and workers
attempts.py    what a taken-over service tries
command.py     the command
"""
