"""`ordersaga projections`: rebuild a read side, and show its status."""
