"""Outbox, inbox, event store and sagas for services on PostgreSQL and RabbitMQ."""

__version__ = "0.1.0"
