"""Asks a sandboxed kernel for one cell after the other, and writes down what it answers.

A program of its own (`python -I -m atelier_nbgrader.conductor`), without the workspace's environment and with
its own limits, because everything that it reads comes from the student's code. Standard input: a request (see
`sandbox/run.py`). Standard output: `{"end": {"kind", "cell", "detail"}, "cells": [{"status",
"execution_count", "outputs"}]}` with one entry for each cell that was answered completely.

`kind` is `done`, or why the run was cut: `start`, `died`, `timeout`, `run_timeout`, `memory`, `processes`,
`output`.

It stands beside `sandbox`, not in it: so it starts without that room's imports.
"""

INFO_FD = "{info_fd}"
"""In the kernel's command: where the number of the pipe goes on which bubblewrap tells its process."""
