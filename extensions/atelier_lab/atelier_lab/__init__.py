"""JupyterLab's *Atelier* sidebar and the small server part it talks to."""
