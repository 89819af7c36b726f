"""A merchant's day on a phone, from `sourcing serve` to the month's costs, and the
links of its messages.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.needs import leave_out
from tests.ui.browser import PLACES, chromium
from tests.ui.day import live_on_a_phone, open_links_of, opened


@pytest.mark.endurance
def test_a_day_needs_no_terminal_and_each_link_of_its_messages_opens_the_thing_itself(
    tmp_path: Path,
) -> None:
    if chromium() is None:
        leave_out("Chromium", "apt-get install chromium")
    with opened(tmp_path) as (served, day):
        live_on_a_phone(day)
        assert open_links_of(served.alerts(), day.ui) == PLACES
