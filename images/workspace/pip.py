"""`python -m pip` here says one sentence, in the language of the account: nothing can be installed."""

import os
import sys

if __name__ == "__main__":
    from atelier_lab.kernel_words import Explainer

    Explainer(os.environ).refuse_installing()
    sys.exit(1)
