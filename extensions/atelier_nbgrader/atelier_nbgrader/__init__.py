"""nbgrader plug-ins that reach Atelier's service over HTTP with the workspace's own token."""
