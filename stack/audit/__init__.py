"""`ordersaga audit`: what is kept, and how personal data is erased."""
