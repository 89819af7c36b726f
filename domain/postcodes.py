"""The least number of digits of postcodes that are digits alone: a number may have lost its first zeros."""

DIGITS = {
    **dict.fromkeys(("AU", "BD", "CY", "DK", "GE", "HU", "MZ", "NO", "NZ", "PH", "PY", "TN", "ZA"), 4),
    **dict.fromkeys(
        ("AS", "CR", "CU", "CZ", "DE", "DO", "DZ", "EE", "EG", "ES", "FI", "FR", "GF", "GP", "GR", "GT", "GU", "HN",
         "HR", "ID", "IQ", "IT", "JO", "KE", "KR", "KW", "LA", "LK", "LT", "MA", "MC", "MM", "MP", "MQ", "MX", "MY",
         "NP", "PE", "PK", "PL", "PM", "PR", "RE", "RS", "SA", "SE", "SK", "SM", "SN", "TH", "TR", "UA", "US", "UY",
         "VA", "VI", "YT"),
        5,
    ),
    **dict.fromkeys(("BY", "CN", "CO", "EC", "IN", "KG", "KZ", "RO", "RU", "SG", "TM", "UZ"), 6),
    **dict.fromkeys(("CL", "JP"), 7),
    "BR": 8,
}  # fmt: skip


def is_cut_short(postcode: str, country: str) -> bool:
    """Whether a postcode of digits alone has fewer than its country (an ISO code) gives each of its own."""
    return postcode.isascii() and postcode.isdigit() and len(postcode) < DIGITS.get(country, 0)
