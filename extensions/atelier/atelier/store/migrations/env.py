"""Run by Alembic. The connection comes from `atelier.store.migrate`, which also owns the transaction."""

from alembic import context
from atelier.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter a column in place
    user_module_prefix="models.",
)
context.run_migrations()
