"""ipywidgets for project work inside notebooks."""
