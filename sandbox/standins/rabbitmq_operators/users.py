"""Credentials of User resources: drawn once into a Secret of ours, or read from a Secret of the user's.

Invariant: a drawn password never changes while its Secret exists, and a Secret of the user's is read only when it
carries the label by which its owner agreed to that.
Facts from: messaging-topology-operator v1.20.1 `internal/controller/user_controller.go`, `api/v1beta1/labels.go`.
"""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.standins.api_server import ApiServer, Key, Object
from sandbox.standins.rabbitmq_operators.crd_schema import API_VERSION
from sandbox.standins.rabbitmq_operators.credentials import random_text
from sandbox.standins.rabbitmq_operators.topology_calls import UserCredentials
from sandbox.standins.secret_data import decode_data, encode_data

LABEL: Final = "rabbitmq.com/topology-operator"


class CredentialsError(Exception):
    """The credentials that a User names cannot be had; the text is fit for a condition's message."""


def credentials_secret_name(user: Mapping[str, Any]) -> str:
    """Name of the Secret that holds a User's credentials."""
    imported = user["spec"].get("importCredentialsSecret")
    return str(imported["name"]) if imported else f"{user['metadata']['name']}-user-credentials"


def credentials_secret(user: Mapping[str, Any], *, username: str, password: str) -> Object:
    """Secret `<user>-user-credentials`, which goes when the User goes."""
    metadata = user["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": credentials_secret_name(user),
            "namespace": metadata["namespace"],
            "labels": {LABEL: "true"},
            "ownerReferences": [user_owner_reference(user, block_deletion=False)],
        },
        "data": encode_data({"username": username, "password": password}),
    }


def user_owner_reference(user: Mapping[str, Any], *, block_deletion: bool) -> Object:
    """Reference by which what belongs to a User goes with it."""
    return {
        "apiVersion": API_VERSION,
        "kind": "User",
        "name": user["metadata"]["name"],
        "uid": user["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": block_deletion,
    }


async def user_credentials(api: ApiServer, user: Mapping[str, Any]) -> UserCredentials:
    """A User's credentials; drawn and stored first where it has none.

    Raises: CredentialsError when the Secret that a User imports is missing, not labelled, or without a user name.
    """
    key = Key("Secret", user["metadata"]["namespace"], credentials_secret_name(user))
    secret = await api.get(key)
    if user["spec"].get("importCredentialsSecret"):
        return _imported(key, secret)
    if secret is None:
        secret = await api.create(credentials_secret(user, username=random_text(), password=random_text()))
    return _read(decode_data(secret.get("data")))


def _imported(key: Key, secret: Mapping[str, Any] | None) -> UserCredentials:
    if secret is None:
        raise CredentialsError(f"could not find password secret {key.name} in namespace {key.namespace}")
    if (secret["metadata"].get("labels") or {}).get(LABEL) != "true":
        raise CredentialsError(f'secret "{key.name}" must have label {LABEL}=true to be used by the Topology Operator')
    credentials = _read(decode_data(secret.get("data")))
    if not credentials.username:
        raise CredentialsError(f"could not find username key in credentials secret: {key.name}")
    if credentials.password_hash is None and not credentials.password:
        raise CredentialsError("neither passwordHash nor password is set in credentials")
    return credentials


def _read(data: Mapping[str, str]) -> UserCredentials:
    return UserCredentials(
        username=data.get("username", ""), password=data.get("password", ""), password_hash=data.get("passwordHash")
    )
