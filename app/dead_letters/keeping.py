"""The file that gets what is dropped: a line of JSON each, on the disk before the letter is gone."""

import os
from pathlib import Path
from typing import TextIO

from app.dead_letters.mailbox import StoppedError
from fleet.errors import FleetError


def open_kept(name: str) -> TextIO:
    """The file of what is dropped, which its owner alone may read: arguments may be anything. Another drop adds to it."""
    path = Path(name)
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w", encoding="utf-8")
    except OSError as error:
        raise FleetError(
            str(path), f"cannot be written: {error.strerror}", "Name a file in a folder of yours; nothing was dropped."
        ) from None


def keep(file: TextIO, line: str) -> None:
    """On the disk before the letter is gone."""
    try:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise StoppedError(f"{file.name} cannot be written: {error.strerror}") from None
