"""`ordersaga parked`: inspect and handle messages that a reaction or the broker refused."""
