"""`ordersaga webhooks`: subscriptions, their deliveries, and the process that sends them."""
