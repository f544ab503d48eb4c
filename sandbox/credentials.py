"""The passwords the sandbox makes, once, so that nobody has to think of one; readable by their owner alone.

Invariant: they outlive `down`, so a fleet that comes up again is the same to those who use it; they are letters and digits, which every store takes.
"""

import json
import secrets

from sandbox.folders import Folders

NAMES = ("FLEET_RESULTS_PASSWORD",)
ENTROPY_BYTES = 24


def load_credentials(folders: Folders) -> dict[str, str]:
    """Environment variable -> secret; made and kept at the first call."""
    kept: dict[str, str] = {}
    if folders.credentials.exists():
        kept = json.loads(folders.credentials.read_text())
    # One that an older sandbox made may hold characters that are no longer taken everywhere.
    if missing := [name for name in NAMES if not kept.get(name, "").isalnum()]:
        kept |= {name: secrets.token_hex(ENTROPY_BYTES) for name in missing}
        unfinished = folders.credentials.with_suffix(".unfinished")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(kept))
        unfinished.replace(folders.credentials)
    return kept
