"""What AWS answers to a recording engine: identities in the shape of the real ones, and the same account every time.

Invariant: a question that no program here asks is a failure, so a new lookup is always a decision.
"""

from typing import Any

ACCOUNT = "123456789012"
REGION = "us-east-1"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d")

_CALLS: dict[str, dict[str, Any]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": {
        "accountId": ACCOUNT, "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/run", "userId": "AROA:run", "id": ACCOUNT,
    },
    "aws:index/getPartition:getPartition": {"partition": "aws", "dnsSuffix": "amazonaws.com", "id": "aws"},
    "aws:iam/getSessionContext:getSessionContext": {
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/run", "issuerArn": f"arn:aws:iam::{ACCOUNT}:role/deployer",
        "issuerName": "deployer", "issuerId": "AROA", "sessionName": "run", "id": "session",
    },
    "aws:index/getAvailabilityZones:getAvailabilityZones": {
        "names": list(ZONES), "zoneIds": ["use1-az1", "use1-az2", "use1-az4", "use1-az5"], "groupNames": [REGION], "id": REGION,
    },
    "aws:ssm/getParameter:getParameter": {
        "name": "/aws/service/image", "value": "ami-0123456789abcdef0", "type": "String", "version": 1, "id": "image",
    },
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": {
        "userName": "AWS", "password": "a-token-of-a-test", "proxyEndpoint": f"https://{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com",
        "authorizationToken": "QVdTOmEtdG9rZW4=", "expiresAt": "2026-01-01T12:00:00Z", "id": REGION,
    },
}  # fmt: skip


def call(token: str, _: dict[str, Any]) -> dict[str, Any]:
    """The answer to a lookup."""
    assert token in _CALLS, f"no program here asks a provider for {token}"
    return _CALLS[token]


def new_resource(typ: str, name: str, outputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Identity and outputs of a new resource: what was asked for, and what AWS adds."""
    service = typ.split(":")[1].split("/", maxsplit=1)[0]
    identity = f"{name}-id"
    if typ == "aws:ec2/subnet:Subnet":
        # A custom resource names subnets, and its definition says what one looks like.
        identity = f"subnet-{name.replace('-', '')}"
    arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"
    if typ == "aws:cloudwatch/logGroup:LogGroup":
        arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{outputs.get('name', name)}"
    # The provider names what is not named: its random end is left out.
    chosen = {"arn": arn, "name": name, "tagsAll": outputs.get("tags", {})}
    return identity, {**chosen, **outputs, **_added(typ, name, outputs)}


def _added(typ: str, name: str, outputs: dict[str, Any]) -> dict[str, Any]:
    match typ:
        case "aws:eks/cluster:Cluster":
            return {
                "endpoint": f"https://{name}.eks.amazonaws.com",
                "certificateAuthority": {"data": "Y2VydGlmaWNhdGU="},
                "identities": [{"oidcs": [{"issuer": f"https://oidc.eks.{REGION}.amazonaws.com/id/{name}"}]}],
                "vpcConfig": {**outputs.get("vpcConfig", {}), "clusterSecurityGroupId": "sg-cluster", "vpcId": "vpc-1"},
            }
        case "aws:ecr/repository:Repository":
            return {"repositoryUrl": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{outputs.get('name', name)}"}
        case "aws:elasticache/replicationGroup:ReplicationGroup":
            return {"primaryEndpointAddress": f"master.{name}.use1.cache.amazonaws.com"}
        case "aws:sqs/queue:Queue":
            return {"url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{outputs.get('name', name)}"}
        case "aws:ec2/launchTemplate:LaunchTemplate":
            return {"latestVersion": 1}
        case _:
            return {}
