"""`ordersaga parked`: what a person does with messages that could not be handled."""
