"""Sizes as users say them."""

import re

UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def number_of_bytes(told: str, *, option: str) -> int:
    """A size such as 4GB.

    Args:
        told: what was said.
        option: where, for the message.

    Raises:
        ValueError: for what is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]+)", told.strip(), re.IGNORECASE)
    if found is None or found[2].upper() not in UNITS or not float(found[1]):
        raise ValueError(f"{option} is {told!r}; say a size such as 4GB or 500MB")
    return int(float(found[1]) * UNITS[found[2].upper()])
