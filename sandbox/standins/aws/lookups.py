"""Questions that a program may ask about the account.

The invariant: a question that is not listed here is refused by its name, so that a program never builds on an answer
that nobody thought about.

Source: the outputs of the functions in pulumi-aws 7.51; zones that EKS does not use from the EKS user guide, "VPC and
subnet requirements".
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Final, TypeAlias

from sandbox.standins.aws.account import ROLE, Account
from sandbox.standins.plugin_server import PluginError
from sandbox.standins.property_values import Properties

Lookup: TypeAlias = Callable[[Account, Properties], Properties]


def answer(account: Account, token: str, arguments: Properties) -> Properties:
    """The answer to a question.

    Raises: PluginError for a question, or a part of one, that is not known here.
    """
    if token not in _LOOKUPS:
        raise PluginError(f"the function {token} is not supported by the sandbox's stand-in for the AWS plugin")
    lookup, known = _LOOKUPS[token]
    if unknown := sorted(set(arguments) - {*known.split(), "region", "id"}):
        raise PluginError(f"{token}: the sandbox's stand-in for the AWS plugin knows no argument {', '.join(unknown)}")
    return {**arguments, "region": account.region, **lookup(account, arguments)}


def _caller_identity(account: Account, _: Properties) -> Properties:
    arn = account.arn("sts", f"assumed-role/{ROLE}/session", regional=False)
    return {"accountId": account.number, "arn": arn, "userId": "AROAEXAMPLE:session", "id": account.number}


def _session_context(account: Account, arguments: Properties) -> Properties:
    arn = str(arguments["arn"])
    if ":assumed-role/" not in arn:
        return {"issuerArn": arn, "issuerId": "", "issuerName": "", "sessionName": "", "id": arn}
    name, _, session = arn.rpartition(":assumed-role/")[2].partition("/")
    issuer = account.arn("iam", f"role/{name}", regional=False)
    return {"issuerArn": issuer, "issuerId": "AROAEXAMPLE", "issuerName": name, "sessionName": session, "id": arn}


def _availability_zones(account: Account, arguments: Properties) -> Properties:
    zones = {
        f"{account.region}{letter}": f"{account.short_region}-az{number}"
        for number, letter in enumerate("abcdef"[: account.zone_count], start=1)
    }
    kept = {
        name: zone
        for name, zone in zones.items()
        if name not in (arguments.get("excludeNames") or []) and zone not in (arguments.get("excludeZoneIds") or [])
    }
    for condition in arguments.get("filters") or []:
        if condition.get("name") not in ("opt-in-status", "zone-type", "state"):
            raise PluginError(f"getAvailabilityZones: the stand-in knows no filter {condition.get('name')!r}")
        if not {"opt-in-not-required", "availability-zone", "available"} & set(condition.get("values") or []):
            kept = {}
    return {
        "names": list(kept), "zoneIds": list(kept.values()), "groupNames": [account.region], "id": account.region,
    }  # fmt: skip


def _partition(account: Account, _: Properties) -> Properties:
    reverse = ".".join(reversed(account.dns_suffix.split(".")))
    return {
        "partition": account.partition, "dnsSuffix": account.dns_suffix, "reverseDnsPrefix": reverse,
        "id": account.partition,
    }  # fmt: skip


def _region(account: Account, _: Properties) -> Properties:
    name = account.region
    return {"name": name, "id": name, "endpoint": f"ec2.{name}.{account.dns_suffix}", "description": name}


def _registry_token(account: Account, _: Properties) -> Properties:
    password = "of-a-stand-in"  # noqa: S105 - nothing takes it
    return {
        "userName": "AWS",
        "password": password,
        "authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(),
        "proxyEndpoint": f"https://{account.number}.dkr.ecr.{account.region}.{account.dns_suffix}",
        "expiresAt": "2100-01-01T00:00:00Z",
        "id": account.region,
    }


def _parameter(account: Account, arguments: Properties) -> Properties:
    name = str(arguments["name"])
    if not name.startswith("/aws/service/"):
        raise PluginError(f"getParameter: the stand-in knows the parameters under /aws/service/ alone, not {name}")
    arn = f"arn:{account.partition}:ssm:{account.region}::parameter{name}"
    value = "ami-0123456789abcdef0"
    return {"arn": arn, "type": "String", "value": value, "insecureValue": value, "version": 1, "id": name}


_LOOKUPS: Final[dict[str, tuple[Lookup, str]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": (_caller_identity, ""),
    "aws:iam/getSessionContext:getSessionContext": (_session_context, "arn"),
    "aws:index/getAvailabilityZones:getAvailabilityZones": (
        _availability_zones,
        "allAvailabilityZones excludeNames excludeZoneIds filters state",
    ),
    "aws:index/getPartition:getPartition": (_partition, ""),
    "aws:index/getRegion:getRegion": (_region, "name"),
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": (_registry_token, "registryId"),
    "aws:ssm/getParameter:getParameter": (_parameter, "name withDecryption"),
}
"""Function -> who answers, and the arguments it takes."""
