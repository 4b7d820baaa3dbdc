"""How alembic reaches the order service's database: over the connection that `ordersaga.database.migrate` hands it."""

from alembic import context

from order_service.schema import metadata

settings = context.config.attributes
context.configure(connection=settings["connection"], target_metadata=metadata, version_table=settings["version_table"])
with context.begin_transaction():
    context.run_migrations()
