"""What identities, keys, queues, events, logs, registries and caches get from AWS.

Source: pulumi-aws 7.51, outputs of `aws.iam`, `aws.kms`, `aws.sqs`, `aws.cloudwatch`, `aws.ecr`, `aws.elasticache`; forms
of ARNs from the service authorization reference; ids from terraform-provider-aws 6.
"""

from __future__ import annotations

from typing import Final

from sandbox.standins.aws.account import hexadecimal
from sandbox.standins.aws.asked import Answer, Answering, Asked
from sandbox.standins.property_values import Properties

_TIME: Final = "2026-01-01T00:00:00Z"


def _unique_id(prefix: str) -> str:
    return prefix + hexadecimal(17).upper()


def _path(asked: Asked) -> str:
    return asked.text("path") or "/"


def _role(asked: Asked) -> Answer:
    arn = asked.arn("iam", f"role{_path(asked)}{asked.name}", regional=False)
    return Answer(asked.name, {"arn": arn, "createDate": _TIME, "name": asked.name, "uniqueId": _unique_id("AROA")})


def _role_policy(asked: Asked) -> Answer:
    return Answer(f"{asked.text('role')}:{asked.name}", {"name": asked.name})


def _role_policy_attachment(asked: Asked) -> Answer:
    return Answer(f"{asked.text('role')}/{asked.text('policyArn')}")


def _policy(asked: Asked) -> Answer:
    arn = asked.arn("iam", f"policy{_path(asked)}{asked.name}", regional=False)
    return Answer(arn, {"arn": arn, "name": asked.name, "policyId": _unique_id("ANPA"), "attachmentCount": 0})


def _instance_profile(asked: Asked) -> Answer:
    arn = asked.arn("iam", f"instance-profile{_path(asked)}{asked.name}", regional=False)
    return Answer(asked.name, {"arn": arn, "createDate": _TIME, "name": asked.name, "uniqueId": _unique_id("AIPA")})


def _oidc_provider(asked: Asked) -> Answer:
    arn = asked.arn("iam", f"oidc-provider/{asked.text('url').removeprefix('https://')}", regional=False)
    return Answer(arn, {"arn": arn, "thumbprintLists": []})


def _key(asked: Asked) -> Answer:
    made = "-".join(hexadecimal(digits) for digits in (8, 4, 4, 4, 12))
    root = asked.arn("iam", "root", regional=False)
    policy = f'{{"Statement":[{{"Action":"kms:*","Effect":"Allow","Principal":{{"AWS":"{root}"}},"Resource":"*"}}]}}'
    return Answer(made, {"arn": asked.arn("kms", f"key/{made}"), "keyId": made, "policy": policy, "description": ""})


def _key_alias(asked: Asked) -> Answer:
    key = asked.text("targetKeyId")
    outputs: Properties = {
        "arn": asked.arn("kms", asked.name),
        "name": asked.name,
        "targetKeyArn": key if key.startswith("arn:") else asked.arn("kms", f"key/{key}"),
    }
    return Answer(asked.name, outputs)


def _queue(asked: Asked) -> Answer:
    account = asked.account
    url = f"https://sqs.{account.region}.{account.dns_suffix}/{account.number}/{asked.name}"
    return Answer(url, {"arn": asked.arn("sqs", asked.name), "name": asked.name, "url": url})


def _topic(asked: Asked) -> Answer:
    arn = asked.arn("sns", asked.name)
    return Answer(arn, {"arn": arn, "name": asked.name, "owner": asked.account.number})


def _event_rule(asked: Asked) -> Answer:
    return Answer(asked.name, {"arn": asked.arn("events", f"rule/{asked.name}"), "name": asked.name})


def _event_target(asked: Asked) -> Answer:
    target = asked.text("targetId") or f"terraform-{hexadecimal(26)}"
    return Answer(f"{asked.text('rule')}-{target}", {"targetId": target})


def _log_group(asked: Asked) -> Answer:
    arn = asked.arn("logs", f"log-group:{asked.name}")
    return Answer(asked.name, {"arn": arn, "name": asked.name, "logGroupClass": "STANDARD"})


def _repository(asked: Asked) -> Answer:
    account = asked.account
    url = f"{account.number}.dkr.ecr.{account.region}.{account.dns_suffix}/{asked.name}"
    arn = asked.arn("ecr", f"repository/{asked.name}")
    return Answer(asked.name, {"arn": arn, "name": asked.name, "registryId": account.number, "repositoryUrl": url})


def _of_repository(asked: Asked) -> Answer:
    return Answer(asked.text("repository"), {"registryId": asked.account.number})


def _replication_group(asked: Asked) -> Answer:
    name, account = asked.text("replicationGroupId") or asked.urn_name, asked.account
    host = f"{name}.{hexadecimal(6)}.{account.short_region}.cache.{account.dns_suffix}"
    nodes = asked.inputs.get("numCacheClusters") or 1
    outputs: Properties = {
        "arn": asked.arn("elasticache", f"replicationgroup:{name}"),
        "engine": "redis",
        "memberClusters": [f"{name}-{number:03}" for number in range(1, nodes + 1)],
        "numCacheClusters": nodes,
        "primaryEndpointAddress": f"master.{host}",
        "readerEndpointAddress": f"replica.{host}",
        "replicationGroupId": name,
    }
    return Answer(name, outputs)


def _of_cache(resource: str) -> Answering:
    def answer(asked: Asked) -> Answer:
        arn = asked.arn("elasticache", f"{resource}:{asked.name}")
        return Answer(asked.name, {"arn": arn, "name": asked.name, "description": "Managed by Pulumi"})

    return answer


SERVICE_ANSWERS: Final[dict[str, Answering]] = {
    "aws:cloudwatch/eventRule:EventRule": _event_rule,
    "aws:cloudwatch/eventTarget:EventTarget": _event_target,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": _of_repository,
    "aws:ecr/repository:Repository": _repository,
    "aws:ecr/repositoryPolicy:RepositoryPolicy": _of_repository,
    "aws:elasticache/parameterGroup:ParameterGroup": _of_cache("parametergroup"),
    "aws:elasticache/replicationGroup:ReplicationGroup": _replication_group,
    "aws:elasticache/subnetGroup:SubnetGroup": _of_cache("subnetgroup"),
    "aws:iam/instanceProfile:InstanceProfile": _instance_profile,
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": _oidc_provider,
    "aws:iam/policy:Policy": _policy,
    "aws:iam/role:Role": _role,
    "aws:iam/rolePolicy:RolePolicy": _role_policy,
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": _role_policy_attachment,
    "aws:kms/alias:Alias": _key_alias,
    "aws:kms/key:Key": _key,
    "aws:sns/topic:Topic": _topic,
    "aws:sqs/queue:Queue": _queue,
    "aws:sqs/queuePolicy:QueuePolicy": lambda asked: Answer(asked.text("queueUrl")),
}
"""Type -> what its service answers to its creation."""
