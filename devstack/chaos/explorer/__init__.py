"""`./ordersaga chaos explore`: every failpoint of the library times every action, on one running stack.

places.py        in which processes each failpoint is passed, and what makes a process pass it
product.py       the entries: failpoint times action, and shards of them
arming.py        arms a failpoint of a running process, and sees whether it was reached
mix.py           the orders of one entry: paid, declined, cancelled, timed out, refunded in part, parked
provocations.py  what is done beside the orders: a restart, a rebuild, a queue that is full or silent, an operator
stage.py         the stack of an exploration: its settings, its products, an endpoint of webhooks
settled.py       waits until an entry has nothing under way, and judges its orders
exploration.py   the loop, and its report
command.py       the command
"""
