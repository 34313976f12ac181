"""The reference page of settings is generated, so it must be what the code says today."""

from pathlib import Path

import pytest
from atelier.settings import StewardSettings, WebSettings
from pydantic_settings import BaseSettings

from front.settings import FrontSettings
from hub_config.reference import describe_all, describe_settings
from hub_config.settings import HubSettings

PAGE = Path(__file__).parents[2] / "docs/reference-settings.md"
RENEW = (
    "python -m hub_config reference --also atelier.settings:WebSettings "
    "--also atelier.settings:StewardSettings --also front.settings:FrontSettings > docs/reference-settings.md"
)


def test_the_reference_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == describe_all(
        [HubSettings, WebSettings, StewardSettings, FrontSettings]
    ), RENEW


def test_a_setting_without_a_description_is_refused():
    class Undocumented(BaseSettings):
        port: int = 1

    with pytest.raises(ValueError, match="no description"):
        describe_settings(Undocumented)
