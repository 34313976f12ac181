"""Lab's settings are described by files of the environment, which nobody in a workspace can change.

jupyterlab_server checks each of the 73 against the law of such descriptions whenever a page asks for the
settings: two thirds of that answer's cost. Here it no longer does; `tests/unit/test_lab_start.py` does, once.
People's own settings are checked as before.
"""

from typing import Any

from jsonschema import Draft7Validator
from jsonschema.validators import extend
from jupyterlab_server import settings_utils

TrustingValidator = extend(Draft7Validator)
TrustingValidator.check_schema = classmethod(lambda _class, _schema, **_more: None)


def trust_schemas() -> None:
    """Let jupyterlab_server take the descriptions of settings as they are."""
    names: Any = settings_utils
    if names.Validator is Draft7Validator:  # the name under which the version we know uses it
        names.Validator = TrustingValidator
