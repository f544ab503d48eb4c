"""The settings of one stack, whole: what its configuration states, checked, with every default filled in.

Invariant: every finding names its key, and all of them come in one run. What an environment makes of the catalogue (`celery-fleet:environment`)
belongs to `fleet.environment`; variables override what a committed file says or leaves out, so that working against another cluster leaves no
change behind: FLEET_CONTEXT, FLEET_BASE_IMAGE, FLEET_RESULTS_PASSWORD, FLEET_MONITORING, FLEET_BROKER_ISSUER.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fleet.environment import Environment, load_environment, parse_environment
from fleet.errors import CatalogueError, Finding
from fleet.explaining import explain
from fleet.source import Source
from fleet.versions import PYTHON_IMAGE
from infra.authority import BrokerAuthorityArgs
from infra.manifests.tls import OWN_ISSUER
from infra.manifests.topology import DeletionPolicy
from infra.observability import Monitoring
from infra.platform import PlatformPart, Provision
from stacks.aws_checks import check_aws
from stacks.aws_settings import AwsSettings, derive_aws
from stacks.broker_tls import broker_issuer, check_broker, speaks_tls
from stacks.checks import check_images, check_password, check_prebuilt, check_target, check_tokens, key_finding
from stacks.spec import PROJECT, RESULTS_PASSWORD, WEB_TOKENS, StackSpec

MONITORING_VARIABLE = "FLEET_MONITORING"
"""Stands in for `monitoring.mode`: whoever brings a Prometheus knows how it reads."""

KEPT_ENVIRONMENTS = frozenset({"staging", "prod"})
"""Environments whose broker a `destroy` has to be told twice to take away."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The stack's settings with every default filled in."""

    spec: StackSpec = field(repr=False)
    stack: str
    environment: Environment
    catalogue_path: Path
    context: str | None
    base_image: str
    deletion: DeletionPolicy
    protect: bool
    keep: bool
    """Whether what nobody could make again outlives its resource, also once `protect` was taken off."""
    platform: Mapping[PlatformPart, Provision]
    monitoring: Monitoring
    broker_issuer: str | None
    """ClusterIssuer of the broker's certificate; None where the broker speaks in clear."""
    aws: AwsSettings | None
    """None where the cluster is one's own."""

    @property
    def broker_authority(self) -> BrokerAuthorityArgs | None:
        """What the topology operator has to be given to believe the broker; None where it is there already, or needs nothing."""
        if self.broker_issuer is None or self.platform[PlatformPart.TOPOLOGY_OPERATOR] is Provision.EXISTING:
            return None
        return BrokerAuthorityArgs(
            fleet=self.spec.name, issuer=self.broker_issuer, made_here=self.broker_issuer == OWN_ISSUER
        )


JSON_KEYS = frozenset(
    {"images", "platform", "environment", "aws", "spotNodes", "protect", "web", "monitoring", "broker"}
)
"""Keys whose values are no plain text; Pulumi hands every value over as text."""


def config_values(config: Mapping[str, str]) -> dict[str, Any]:
    """The project's own keys of Pulumi's configuration, without the project in front."""
    prefix = f"{PROJECT}:"
    found: dict[str, Any] = {}
    for key, text in config.items():
        if key.startswith(prefix):
            name = key.removeprefix(prefix)
            found[name] = _parsed(text) if name in JSON_KEYS else text
    return found


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def load_settings(config: Mapping[str, str], variables: Mapping[str, str], *, stack: str, root: Path) -> Settings:
    """The settings from Pulumi's configuration (`project:key` -> text) and the environment variables.

    Raises: CatalogueError with every finding.
    """
    file = f"Pulumi.{stack}.yaml"
    source = Source(file=file, data={}, places={})
    values = config_values(config)
    try:
        spec = StackSpec.model_validate(values)
    except ValidationError as error:
        raise CatalogueError(_explained(error, source, root, stack)) from None
    findings = [
        *check_images(spec, variables, file=file),
        *check_prebuilt(spec, kept=stack in KEPT_ENVIRONMENTS, file=file),
        *check_password(spec, variables, file=file),
        *check_tokens(spec, file=file),
        *check_target(spec, file=file),
        *check_broker(spec, _platform(spec), variables, file=file),
    ]
    try:
        environment = parse_environment(stack, values.get("environment", {}))
    except CatalogueError as error:
        raise CatalogueError([*findings, *error.findings]) from None
    if spec.target == "eks":
        wrong = check_aws(spec.aws, environment, fleet=spec.name, stack=stack)
        findings += [key_finding(file, item.key, item.problem, item.fix) for item in wrong]
    if findings:
        raise CatalogueError(findings)
    protect = stack in KEPT_ENVIRONMENTS if spec.protect is None else spec.protect
    return Settings(
        spec=spec,
        stack=stack,
        environment=environment,
        catalogue_path=root / spec.catalogue,
        context=variables.get("FLEET_CONTEXT") or spec.context,
        base_image=variables.get("FLEET_BASE_IMAGE") or spec.images.base or PYTHON_IMAGE,
        deletion=spec.deletion_policy or (DeletionPolicy.DELETE if stack == "local" else DeletionPolicy.RETAIN),
        protect=protect,
        keep=protect or stack in KEPT_ENVIRONMENTS,
        platform=_platform(spec),
        monitoring=spec.monitoring.mode or Monitoring(variables.get(MONITORING_VARIABLE) or Monitoring.NONE),
        broker_issuer=broker_issuer(spec, _platform(spec), variables) if speaks_tls(spec) else None,
        aws=derive_aws(stack, spec.aws, environment.cloud) if spec.target == "eks" and environment.cloud else None,
    )


def _platform(spec: StackSpec) -> Mapping[PlatformPart, Provision]:
    if spec.target == "eks":
        # metrics-server is an add-on of the cluster there.
        return dict.fromkeys(PlatformPart, Provision.INSTALL) | {PlatformPart.METRICS_SERVER: Provision.EXISTING}
    return {
        PlatformPart.CERT_MANAGER: spec.platform.cert_manager,
        PlatformPart.METRICS_SERVER: spec.platform.metrics_server,
        PlatformPart.KEDA: spec.platform.keda,
        PlatformPart.CLUSTER_OPERATOR: spec.platform.rabbitmq_cluster_operator,
        PlatformPart.TOPOLOGY_OPERATOR: spec.platform.rabbitmq_topology_operator,
    }


def _explained(error: ValidationError, source: Source, root: Path, stack: str) -> list[Finding]:
    """The findings of a configuration; those of the environment point at their line where the stack's own file says the same."""
    details = [_hidden(detail) for detail in error.errors()]
    of_environment = [detail for detail in details if detail["loc"][:1] == ("environment",)]
    placed: list[Finding] = []
    if of_environment:
        try:
            load_environment(root, stack)
        except CatalogueError as found:
            placed = found.findings
    told = [detail for detail in details if not (placed and detail in of_environment)]
    return [_as_key(explain(source, (), StackSpec, detail)) for detail in told] + placed


def _hidden(detail: Any) -> Any:
    """A validation error without the value of a secret key."""
    return {**detail, "input": "(hidden)"} if detail["loc"][:1] in {(RESULTS_PASSWORD,), (WEB_TOKENS,)} else detail


def _as_key(finding: Finding) -> Finding:
    return Finding(
        file=finding.file,
        line=0,
        column=0,
        path=f"{PROJECT}:{finding.path}",
        problem=finding.problem,
        fix=finding.fix,
    )
