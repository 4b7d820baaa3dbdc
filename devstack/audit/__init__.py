"""`ordersaga audit`: who did what and why, the proof that nothing was altered, and how personal data is erased."""
