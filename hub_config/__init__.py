"""Atelier's JupyterHub configuration. Importing it has no effect; `configure.configure(c, …)` has."""
