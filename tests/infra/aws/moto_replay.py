"""Replays what a program registered into moto, which refuses much of what AWS would: subnets that overlap, policies that are none, a rule
twice.

Invariant: recorded order, and every identity that the recording engine made up stands for the one that moto answers, also inside ARNs and
JSON. What the program was told from outside (a VPC of somebody's own) is made first, so that a component can be replayed alone.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, reduce
from typing import Any

import boto3
from moto import mock_aws
from moto.iam.aws_managed_policies import aws_managed_policies_data

from tests.infra.aws.moto_calls import CALLS, NAMED, NOT_REPLAYED
from tests.infra.aws_answers import REGION
from tests.infra.recording import Recorded, Registration

_CREDENTIALS = {"aws_access_key_id": "of-a-test", "aws_secret_access_key": "of-a-test"}

# moto would read a thousand machine images for every network, half a second each time.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"

GROUND = {
    "vpcId": "vpc", "subnetId": "subnet", "subnetIds": "subnet",
    "securityGroupId": "group", "securityGroupIds": "group", "referencedSecurityGroupId": "group",
}  # fmt: skip
"""Input that names a part of a network -> what that is."""

GROUND_CIDR = "192.168.0.0/16"


@cache
def _managed_policies() -> frozenset[str]:
    """ARNs of the policies that AWS keeps; moto would load all of them for every account, a second each time."""
    known = json.loads(aws_managed_policies_data)
    return frozenset(f"arn:aws:iam::aws:policy{policy.get('Path', '/')}{name}" for name, policy in known.items())


@cache
def client(service: str) -> Any:
    """boto3's client of a service; while something is replayed, it reaches the account in memory."""
    return boto3.client(service, region_name=REGION, **_CREDENTIALS)


class Replay:
    """An account in memory, and what stands in it for what was recorded."""

    def __init__(self, made: frozenset[str]) -> None:
        self.made = made
        """Identities that the program itself makes; any other was told to it."""
        self.real: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self._subnets = 0

    def create(self, item: Registration) -> None:
        """Sends the call that makes the resource.

        Raises: botocore's ClientError when AWS would refuse it, ParamValidationError when the call does not take what is sent; both name the resource.
        """
        if item.typ == ATTACHMENT and ":iam::aws:policy/" in item.inputs["policyArn"]:
            if item.inputs["policyArn"] not in _managed_policies():
                raise LookupError(f"{item.name}: AWS keeps no policy {item.inputs['policyArn']}")
            return
        if item.typ not in CALLS:
            assert any(item.typ.startswith(kind) for kind in NOT_REPLAYED), (
                f"{item.typ} is neither replayed nor excused"
            )
            return
        call = CALLS[item.typ]
        self._stand_on_ground(item.inputs)
        inputs = self._translated(item.inputs)
        sent = call.sent(inputs)
        if item.typ in NAMED:
            sent.setdefault(NAMED[item.typ], inputs.get("name", item.name))
        try:
            answer = getattr(client(call.service), call.operation)(**sent)
            real = {output: _at(answer, path) for output, path in call.outputs.items()} | dict(call.unsaid(sent))
            for output, value in real.items():
                recorded = item.identity if output == "id" else item.outputs.get(output)
                if isinstance(recorded, str) and recorded:
                    self.real[recorded] = value
            if further := call.then(inputs, self.real.get(item.identity, "")):
                operation, sent = further
                getattr(client(call.service), operation)(**sent)
        except Exception as error:
            error.add_note(f"{item.typ} {item.name}")
            raise

    def _translated(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._translated(child) for key, child in value.items()}
        if isinstance(value, list):
            return [self._translated(child) for child in value]
        if not isinstance(value, str) or value in self.real:
            return self.real[value] if isinstance(value, str) else value
        # Inside an ARN or a document, where it is no part of a longer name.
        for recorded in sorted((known for known in self.real if known in value), key=len, reverse=True):
            value = re.sub(rf"(?<![\w-]){re.escape(recorded)}(?![\w-])", self.real[recorded], value)
        return value

    def _stand_on_ground(self, inputs: Mapping[str, Any]) -> None:
        """Makes what the program was told of and does not make itself."""
        for name, kind in GROUND.items():
            given = inputs.get(name, [])
            for recorded in given if isinstance(given, list) else [given]:
                if recorded not in self.made and recorded not in self.real:
                    self.real[recorded] = self._ground(kind)

    def _ground(self, kind: str) -> str:
        ec2 = client("ec2")
        if "vpc" not in self._told:
            self._told["vpc"] = ec2.create_vpc(CidrBlock=GROUND_CIDR)["Vpc"]["VpcId"]
        vpc = self._told["vpc"]
        if kind == "subnet":
            self._subnets += 1
            cidr = GROUND_CIDR.replace("0.0/16", f"{self._subnets}.0/24")
            return str(ec2.create_subnet(VpcId=vpc, CidrBlock=cidr)["Subnet"]["SubnetId"])
        if kind == "group":
            made = ec2.create_security_group(VpcId=vpc, GroupName=f"told-{len(self.real)}", Description="told")
            return str(made["GroupId"])
        return vpc


def _at(answer: Any, path: str) -> str:
    steps = (int(step) if step.isdigit() else step for step in path.split("."))
    return str(reduce(lambda found, step: found[step], steps, answer))


@contextmanager
def replayed(recorded: Recorded) -> Iterator[Replay]:
    """The account as it is once everything that was recorded has been made."""
    made = frozenset(item.identity for item in recorded.resources)
    with mock_aws():
        replay = Replay(made)
        for item in recorded.resources:
            if item.typ.startswith("aws:"):
                replay.create(item)
        yield replay
