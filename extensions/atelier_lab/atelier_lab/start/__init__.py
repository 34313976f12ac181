"""How the processes of a workspace start: without what they do not need yet.

`python -P -m atelier_lab.start.server` is JupyterHub's server for one account, `python -P -m
atelier_lab.start.kernel` ipykernel's kernel. See docs/decisions/what-a-start-spends.md.
"""
