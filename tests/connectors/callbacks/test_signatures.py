"""The vectors in the documentation are right, for the day when somebody checks an
implementation with them.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from tests.running import ROOT


def test_the_documented_vectors_are_right() -> None:
    """Each row's bytes give its signature."""
    rows = [
        line
        for line in (ROOT / "docs/callbacks.md").read_text("utf-8").splitlines()
        if " → `" in line
    ]
    (body, over_body), (message, over_form) = (
        re.findall(r"`([^`]+)` → `(\w+)`", row)[0] for row in rows
    )
    assert (
        hmac.new(b"app-secret", f"app-key{body}".encode(), hashlib.sha256).hexdigest()
        == over_body
    )
    assert (
        hmac.new(b"app-secret", f"message{message}".encode(), hashlib.sha1)
        .hexdigest()
        .upper()
        == over_form
    )
