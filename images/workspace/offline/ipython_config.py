# Every kernel of a workspace reads this.
c.InteractiveShellApp.extensions = ["atelier_offline"]  # noqa: F821 - given by traitlets
