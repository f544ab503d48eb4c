"""What a credential looks like in text: for rules that refuse one, and for whatever shows values and must not show that one.

Sources: kombu 5.7 (broker URLs); RFC 7468 (PEM); IAM user guide, "IAM identifiers" (prefixes of access keys).
"""

import re

PASSWORD_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:(?!\$\()[^/\s@]+@", re.IGNORECASE)
"""`$(NAME)` is a variable that Kubernetes puts in, which may well come from a Secret."""

KEYS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")
"""A private key in PEM, or the access key of an AWS user or session."""

SECRET_NAME = re.compile(
    r"(?:^|[_.-]|(?<=[a-z]))(?:passw(?:or)?d|passphrase|secret|token|api_?key|access_?key|private_?key|credentials?)$",
    re.IGNORECASE,
)
"""A name whose value is a credential; `PASSWORD_FILE` and `TOKEN_SECONDS` are none."""
