"""`pip`, `%pip` and `python -m pip` in a workspace: one sentence. The real one is not in the image."""

from atelier_offline import refuse_install

if __name__ == "__main__":
    refuse_install()
