"""`ordersaga audit`: the proof that no event was altered, and how personal data is erased."""
