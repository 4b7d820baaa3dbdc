"""`ordersaga contracts`: print the documents of the contracts, and check whether readers can read a change."""
