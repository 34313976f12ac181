"""The operators' commands, one module for each subject."""
