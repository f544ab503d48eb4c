"""KMS keys, and who may use them.

Invariant: a key rotates every year, has an alias, and can be called back for 30 days after it was deleted. In a key's policy the resource `*` is the
key itself. The account's own statement is AWS's documented default with its `kms:*` spelled out: without it nobody could change the policy of the key
any more, and IAM policies of the account would not apply to it; it allows nothing to anybody by itself.
Sources: KMS developer guide, "Default key policy", "Permissions reference" and "kms:ViaService"; CloudWatch Logs user guide, "Encrypt log data in
CloudWatch Logs using AWS KMS".
"""

import pulumi
import pulumi_aws as aws

from infra.aws.place import Place
from infra.aws.policies import Condition, Statement, document

DELETION_WINDOW_DAYS = 30
ROTATION_DAYS = 365

USE = (
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:DescribeKey",
)
"""What whoever reads and writes encrypted data does with a key; spelled out where AWS's examples have wildcards."""


MANAGE = (
    *(f"kms:{verb}Alias" for verb in ("Create", "Update", "Delete")),
    *(f"kms:{verb}Grant" for verb in ("Create", "Retire", "Revoke")),
    *(f"kms:{verb}KeyPolicy" for verb in ("Get", "Put")),
    *(f"kms:{verb}Key" for verb in ("Enable", "Disable")),
    *(f"kms:{verb}KeyRotation" for verb in ("Enable", "Disable")),
    *(f"kms:{verb}Resource" for verb in ("Tag", "Untag")),
    *(f"kms:List{noun}" for noun in ("Grants", "KeyPolicies", "KeyRotations", "ResourceTags")),
    "kms:CancelKeyDeletion",
    "kms:GetKeyRotationStatus",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:UpdateKeyDescription",
)
"""Every other action of KMS on a symmetric key that is no replica and has no key material of its own."""


def account_statement(place: Place) -> Statement:
    """Lets IAM policies of the account decide."""
    return _statement("Account", {"AWS": place.arn("iam", "root", regional=False)}, [*USE, *MANAGE])


def volumes_statement(place: Place) -> Statement:
    """Whoever may make a volume in this account may make it with this key, through EC2 alone.

    This is the policy of the key that AWS keeps for EBS. It names no service-linked role on purpose: KMS refuses a policy with a role that does not
    exist, and an account that never had an Auto Scaling group has none yet. Source: Karpenter 1.14, "Troubleshooting", encrypted EBS volumes;
    EC2 Auto Scaling user guide, "Required AWS KMS key policy for use with encrypted volumes".
    """
    condition = {
        "StringEquals": {"kms:ViaService": f"ec2.{place.region}.amazonaws.com", "kms:CallerAccount": place.account}
    }
    return _statement("VolumesThroughEc2", {"AWS": "*"}, [*USE, "kms:CreateGrant"], condition)


def logs_statement(place: Place, log_group: str) -> Statement:
    """CloudWatch Logs encrypts the log groups of this name (`*` stands for any text) with the key."""
    condition = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": place.arn("logs", f"log-group:{log_group}")}}
    return _statement("Logs", {"Service": f"logs.{place.region}.amazonaws.com"}, list(USE), condition)


def _statement(
    sid: str, principal: dict[str, pulumi.Input[str]], actions: list[str], condition: Condition | None = None
) -> Statement:
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*"}
    return statement if condition is None else {**statement, "Condition": condition}


def create_key(
    name: str, place: Place, *, alias: str, description: str, statements: list[Statement], parent: pulumi.Resource
) -> aws.kms.Key:
    """A key of the component `parent`, and its alias."""
    key = aws.kms.Key(
        name,
        description=description,
        enable_key_rotation=True,
        rotation_period_in_days=ROTATION_DAYS,
        deletion_window_in_days=DELETION_WINDOW_DAYS,
        policy=document(account_statement(place), *statements),
        tags=place.tagged(alias),
        # What was encrypted with a deleted key is lost.
        opts=pulumi.ResourceOptions(parent=parent, protect=place.protect, retain_on_delete=place.keep),
    )
    aws.kms.Alias(
        f"{name}-alias", name=f"alias/{alias}", target_key_id=key.id, opts=pulumi.ResourceOptions(parent=parent)
    )
    return key
