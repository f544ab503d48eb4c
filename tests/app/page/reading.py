"""What a person reads on a page."""

import re


def text_of(page: str) -> str:
    """What a person reads."""
    body = re.sub(r"<(style|script|title|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))
