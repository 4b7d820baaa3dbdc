"""`ordersaga audit`: the proof that no event was altered, old states, and the erasure of personal data."""
