"""The files that the Pulumi CLI reads itself, held to what the program reads."""

import base64
import json
from typing import Any

import yaml
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from sandbox.environment import PASSPHRASE
from stacks.reference import PAGE, stack_page
from stacks.spec import PROJECT, StackSpec
from tests.stacks.programs import ROOT

PASSPHRASE_ITERATIONS = 1_000_000
"""pulumi v3.259, `sdk/go/common/resource/config/crypt.go`."""


def _project() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    return found


def test_the_declared_keys_are_those_of_the_program() -> None:
    """Shape and default of each key are the same on both sides."""
    defaults = json.loads(StackSpec().model_dump_json(by_alias=True, exclude_unset=True, exclude_defaults=True))
    assert defaults == {}
    whole = StackSpec().model_dump(by_alias=True)
    for key, declared in _project()["config"].items():
        name = key.removeprefix(f"{PROJECT}:")
        if declared["type"] == "object":
            assert declared["default"] == {}
            assert isinstance(whole[name], dict)
        else:
            assert declared == {**declared, "type": "string", "default": whole[name]}


def test_every_key_with_a_default_is_declared() -> None:
    """Those without one are not: the CLI would ask every stack for them."""
    optional = {name for name, value in StackSpec().model_dump(by_alias=True).items() if value is None}
    declared = {key.removeprefix(f"{PROJECT}:") for key in _project()["config"]}
    assert declared == StackSpec().model_dump(by_alias=True).keys() - optional


def test_the_program_is_found_where_the_project_says() -> None:
    """`main` is the folder of `__main__.py`, and the toolchain the one that the locks are made with."""
    project = _project()
    assert (ROOT / project["main"] / "__main__.py").is_file()
    assert project["runtime"] == {"name": "python", "options": {"toolchain": "uv"}}


def test_the_committed_salt_fits_the_sandboxes_passphrase() -> None:
    """Otherwise the CLI refuses the passphrase, or writes another salt into a committed file."""
    document = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())
    _, salt, _, nonce, sealed = document["encryptionsalt"].split(":")
    derive = PBKDF2HMAC(SHA256(), length=32, salt=base64.b64decode(salt), iterations=PASSPHRASE_ITERATIONS)
    key = derive.derive(PASSPHRASE.encode())
    assert AESGCM(key).decrypt(base64.b64decode(nonce), base64.b64decode(sealed), None) == b"pulumi"


def test_the_committed_file_holds_no_secret() -> None:
    """Its passphrase is public."""
    assert "secure:" not in (ROOT / "Pulumi.local.yaml").read_text()


def test_the_reference_of_the_settings_is_up_to_date() -> None:
    """Whoever changes a setting writes its page anew: `python -m stacks.reference`."""
    assert PAGE.read_text(encoding="utf-8") == stack_page()
