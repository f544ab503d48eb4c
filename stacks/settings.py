"""The stack's configuration, typed: every key under `celery-fleet:`, what it may be, and what it means.

Invariant: a key that is not listed here is refused with the nearest one that is, and every finding names its key. What an environment makes of
the catalogue (`celery-fleet:environment`) belongs to `fleet.environment`; three variables override what a committed file says, so that
working against another cluster leaves no change behind: FLEET_CONTEXT, FLEET_BASE_IMAGE, FLEET_RESULTS_PASSWORD.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from fleet.catalogue import Model, TolerationSpec
from fleet.deriving import FLEET_NAME
from fleet.environment import Environment, EnvironmentSpec, load_environment, parse_environment
from fleet.errors import CatalogueError, Finding
from fleet.explaining import explain
from fleet.source import Source
from fleet.versions import PYTHON_IMAGE
from infra.manifests.topology import DeletionPolicy
from infra.platform import PlatformPart, Provision

PROJECT = "celery-fleet"
"""Name of the Pulumi project, which every key carries in front."""

RESULTS_PASSWORD = "resultsPassword"  # noqa: S105 -- the name of a key
RESULTS_PASSWORD_VARIABLE = "FLEET_RESULTS_PASSWORD"  # noqa: S105 -- the name of a variable
RESULTS_PASSWORD_PATTERN = r"^[A-Za-z0-9._~-]{12,128}$"  # noqa: S105 -- the form of a password
"""Characters that need no quoting in a URL or in valkey.conf."""

LOCAL_IMAGES = "local"
"""FLEET_IMAGES: whoever builds also loads the images into the node."""

KEPT_ENVIRONMENTS = frozenset({"staging", "prod"})
"""Environments whose broker a `destroy` has to be told twice to take away."""

DnsLabel = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=40)]


class PrebuiltSpec(Model):
    """Images that exist already."""

    web: Annotated[str, Field(min_length=1)]
    """Image of the web layer, best by digest."""
    worker: Annotated[str, Field(min_length=1)]
    """Image of the workers, of beat and of the delayed-delivery Job."""


class ImagesSpec(Model):
    """Where the images come from."""

    registry: Annotated[str, Field(pattern=r"^[a-z0-9.:-]+(/[a-z0-9._/-]+)?$")] | None = None
    """Registry, with a path if it has one, that images are pushed to and nodes pull from."""
    prebuilt: PrebuiltSpec | None = None
    """Images to take as they are; nothing is built then."""
    base: str | None = None
    """Image with Python that the application is put on."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.registry is not None and self.prebuilt is not None:
            raise ValueError("has both registry and prebuilt; keep one")
        return self


class PlatformSpec(Model):
    """Where each part that a cluster needs comes from."""

    cert_manager: Annotated[Provision, Field(alias="certManager", strict=False)] = Provision.EXISTING
    """cert-manager: `existing` or `install`; needed where the topology operator is installed."""
    metrics_server: Annotated[Provision, Field(alias="metricsServer", strict=False)] = Provision.EXISTING
    """metrics-server: `existing` or `install`."""
    keda: Annotated[Provision, Field(strict=False)] = Provision.EXISTING
    """KEDA: `existing` or `install`."""
    rabbitmq_cluster_operator: Annotated[Provision, Field(alias="rabbitmqClusterOperator", strict=False)] = (
        Provision.EXISTING
    )
    """RabbitMQ cluster operator: `existing` or `install`."""
    rabbitmq_topology_operator: Annotated[Provision, Field(alias="rabbitmqTopologyOperator", strict=False)] = (
        Provision.EXISTING
    )
    """RabbitMQ messaging topology operator: `existing` or `install`."""


class SpotNodesSpec(Model):
    """Nodes for queues with `capacity: spot`, where the environment allows spot."""

    node_selector: Annotated[dict[str, str], Field(alias="nodeSelector")] = {}
    """Labels that such a node has."""
    tolerations: list[TolerationSpec] = []
    """Taints that such a node has."""


class StackSpec(Model):
    """Every key that may stand under `celery-fleet:`."""

    target: Literal["existing"] = "existing"
    """What the fleet runs on: `existing`, a cluster that a kubeconfig names."""
    name: DnsLabel = FLEET_NAME
    """Name of the fleet: its namespace and its vhost."""
    catalogue: str = "queues.yaml"
    """Path of the catalogue, from the project's root."""
    kubeconfig: str | None = None
    """Path of a kubeconfig; otherwise what kubectl would take."""
    context: str | None = None
    """Context of the kubeconfig; otherwise its current one."""
    images: ImagesSpec = ImagesSpec()
    """Where the images come from."""
    platform: PlatformSpec = PlatformSpec()
    """Where each part that a cluster needs comes from."""
    environment: EnvironmentSpec = EnvironmentSpec()
    """What this environment makes of the catalogue."""
    results_password: Annotated[str | None, Field(alias=RESULTS_PASSWORD, repr=False)] = None
    """Password of the results store; set it with `pulumi config set --secret`."""
    storage_class: Annotated[str | None, Field(alias="storageClass")] = None
    """StorageClass of the broker's volumes; otherwise the cluster's default."""
    deletion_policy: Annotated[DeletionPolicy | None, Field(alias="deletionPolicy", strict=False)] = None
    """What becomes of queues and their messages when their resources go: `retain`, or `delete` (the default of local alone)."""
    protect: bool | None = None
    """Whether the broker is protected from deletion; the default is true in staging and prod."""
    spot_nodes: Annotated[SpotNodesSpec, Field(alias="spotNodes")] = SpotNodesSpec()
    """Where workers of spot queues run."""


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
    platform: Mapping[PlatformPart, Provision]


JSON_KEYS = frozenset({"images", "platform", "environment", "spotNodes", "protect"})
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
    findings = check_images(spec, variables, file=file) + check_password(spec, variables, file=file)
    if findings:
        raise CatalogueError(findings)
    return Settings(
        spec=spec,
        stack=stack,
        environment=parse_environment(stack, values.get("environment", {})),
        catalogue_path=root / spec.catalogue,
        context=variables.get("FLEET_CONTEXT") or spec.context,
        base_image=variables.get("FLEET_BASE_IMAGE") or spec.images.base or PYTHON_IMAGE,
        deletion=spec.deletion_policy or (DeletionPolicy.DELETE if stack == "local" else DeletionPolicy.RETAIN),
        protect=stack in KEPT_ENVIRONMENTS if spec.protect is None else spec.protect,
        platform={
            PlatformPart.CERT_MANAGER: spec.platform.cert_manager,
            PlatformPart.METRICS_SERVER: spec.platform.metrics_server,
            PlatformPart.KEDA: spec.platform.keda,
            PlatformPart.CLUSTER_OPERATOR: spec.platform.rabbitmq_cluster_operator,
            PlatformPart.TOPOLOGY_OPERATOR: spec.platform.rabbitmq_topology_operator,
        },
    )


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
    return {**detail, "input": "(hidden)"} if detail["loc"][:1] == (RESULTS_PASSWORD,) else detail


def _as_key(finding: Finding) -> Finding:
    return Finding(
        file=finding.file,
        line=0,
        column=0,
        path=f"{PROJECT}:{finding.path}",
        problem=finding.problem,
        fix=finding.fix,
    )


def results_password(spec: StackSpec, variables: Mapping[str, str]) -> str | None:
    """The results password: the configuration's, else the environment's."""
    return spec.results_password or variables.get(RESULTS_PASSWORD_VARIABLE) or None


def check_images(spec: StackSpec, variables: Mapping[str, str], *, file: str) -> list[Finding]:
    """Images have to reach the cluster's nodes somehow."""
    if spec.images.registry or spec.images.prebuilt or variables.get("FLEET_IMAGES") == LOCAL_IMAGES:
        return []
    fix = (
        "Nodes of a cluster of your own pull images from a registry, or hold them already. Either\n"
        "    docker login registry.example\n"
        "    pulumi config set --path celery-fleet:images.registry registry.example/team\n"
        "  or, with kind and images that you built,\n"
        "    kind load docker-image celery-fleet:1\n"
        "    pulumi config set --path celery-fleet:images.prebuilt.web celery-fleet:1\n"
        "    pulumi config set --path celery-fleet:images.prebuilt.worker celery-fleet:1"
    )
    return [_finding(file, "images", "names neither registry nor prebuilt", fix)]


def check_password(spec: StackSpec, variables: Mapping[str, str], *, file: str) -> list[Finding]:
    """The results store has a password that fits into a URL."""
    password = results_password(spec, variables)
    set_it = f"Set one: pulumi config set --secret {PROJECT}:{RESULTS_PASSWORD}"
    if password is None:
        return [_finding(file, RESULTS_PASSWORD, "is missing", set_it)]
    if re.fullmatch(RESULTS_PASSWORD_PATTERN, password) is None:
        form = "It takes 12 to 128 letters, digits and . _ ~ - (others would have to be quoted in a URL)."
        return [_finding(file, RESULTS_PASSWORD, "does not have the right form", f"{form} {set_it}")]
    return []


def _finding(file: str, key: str, problem: str, fix: str) -> Finding:
    return Finding(file=file, line=0, column=0, path=f"{PROJECT}:{key}", problem=problem, fix=fix)
