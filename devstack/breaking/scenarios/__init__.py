"""The scenarios of `./ordersaga break` and `./ordersaga chaos`, one file each; table.py lists them."""
