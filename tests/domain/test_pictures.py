"""Which pictures a browser is led to."""

from __future__ import annotations

import pytest

from domain.marketplace import NO_PICTURES, Pictures

KNOWN = Pictures(("alicdn.com",))


@pytest.mark.parametrize(
    ("picture", "shown"),
    [
        (
            "https://img.alicdn.com/a/b_!!1-2.jpg",
            "https://img.alicdn.com/a/b_!!1-2.jpg",
        ),
        ("http://IMG.alicdn.com/a.jpg", "https://img.alicdn.com/a.jpg"),
        ("//alicdn.com/a.jpg?x=1,2", "https://alicdn.com/a.jpg?x=1,2"),
        ("https://evil.example/a.jpg", ""),
        ("https://evilalicdn.com/a.jpg", ""),
        ("https://alicdn.com.evil.example/a.jpg", ""),
        ("https://img.alicdn.com@evil.example/a.jpg", ""),
        ("https://evil.example/@img.alicdn.com/a.jpg", ""),
        ("https://img.alicdn.com:8443/a.jpg", ""),
        ('https://img.alicdn.com/a.jpg" onerror="x', ""),
        ("https://img.alicdn.com/a|b.jpg", ""),
        ("https://img.alicdn.com/a.jpg\n", ""),
        ("https://img.alicdn.com/<b>.jpg", ""),
        ("https://img.alicdn.com/" + "a" * 500, ""),
        ("javascript://img.alicdn.com/a", ""),
        ("data:image/png;base64,AAAA", ""),
        ("", ""),
    ],
)
def test_a_picture_is_shown_by_https_from_a_host_on_the_list(
    picture: str, shown: str
) -> None:
    assert KNOWN.address(picture) == shown
    assert NO_PICTURES.address(picture) == ""


def test_a_sandbox_serves_its_pictures_itself() -> None:
    """No browser calls a marketplace in a try-out."""
    pictures = Pictures(("alicdn.com",), "http://127.0.0.1:8790")
    assert pictures.address("https://img.alicdn.com/a.jpg") == (
        "http://127.0.0.1:8790/_sandbox/picture?of=https%3A%2F%2Fimg.alicdn.com%2Fa.jpg"
    )
    assert (pictures.address("https://evil.example/a.jpg"), pictures.sources) == (
        "",
        "http://127.0.0.1:8790",
    )


def test_a_content_policy_names_a_host_and_all_below_it() -> None:
    assert KNOWN.sources == "https://alicdn.com https://*.alicdn.com"
