"""Incidents: orders that once went wrong, each as the test that `./ordersaga incident` wrote of it."""
