"""`ordersaga projections`: look after a read side."""
