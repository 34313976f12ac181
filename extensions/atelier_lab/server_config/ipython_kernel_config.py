# Every Python kernel of this environment reads this file.
get_config().InteractiveShellApp.extensions = ["atelier_lab.kernel_words"]  # noqa: F821
