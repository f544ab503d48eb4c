"""Everything the program knows before it registers a resource: settings, plan, cluster.

Invariant: whoever holds a `Loaded` has passed every check; a finding anywhere means that nothing is registered at all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fleet.environment import read_settings, validate_environment
from fleet.errors import CatalogueError
from fleet.inspection import Inspection, start_inspection
from fleet.loading import load_plan
from fleet.plan import Plan
from infra.preflight import (
    ClusterAccess,
    ClusterFacts,
    check_cluster,
    check_monitoring,
    monitoring_groups,
    needed_groups,
    read_cluster,
)
from stacks.aws_settings import AwsSettings
from stacks.checks import results_password
from stacks.settings import Settings, config_values, load_settings

ReadCluster = Callable[[ClusterAccess, tuple[str, ...]], ClusterFacts]
StartInspection = Callable[[str, str], Inspection]


@dataclass(frozen=True, kw_only=True)
class Edges:
    """The two programs that are asked; tests put others in their place."""

    read_cluster: ReadCluster = read_cluster
    start_inspection: StartInspection = start_inspection


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What the stack is composed from."""

    settings: Settings
    plan: Plan
    target: ClusterFacts | AwsSettings
    """What the fleet goes to: what a cluster of one's own said, or what the one that this stack makes is to be."""
    scheduled: bool
    """Whether the application has periodic tasks."""
    password: str = field(repr=False)
    root: str


def load(
    config: Mapping[str, str], variables: Mapping[str, str], *, stack: str, root: str, edges: Edges | None = None
) -> Loaded:
    """Reads and checks everything, cheapest first.

    Raises: CatalogueError with every finding of settings and catalogue, or else of the cluster; FleetError when a program that is asked fails.
    """
    asked = edges or Edges()
    settings, plan = _load_files(config, variables, stack=stack, root=Path(root))
    inspection = asked.start_inspection(plan.application, root)
    try:
        target = settings.aws or _ask_cluster(settings, asked)
        scheduled = bool(inspection.facts().schedule)
    finally:
        inspection.cancel()
    return Loaded(
        settings=settings,
        plan=plan,
        target=target,
        scheduled=scheduled,
        password=results_password(settings.spec, variables) or "",
        root=root,
    )


def _ask_cluster(settings: Settings, asked: Edges) -> ClusterFacts:
    access = ClusterAccess(kubeconfig=settings.spec.kubeconfig, context=settings.context)
    broker_tls = settings.broker_issuer is not None
    groups = (*needed_groups(settings.platform, broker_tls=broker_tls), *monitoring_groups(settings.monitoring))
    facts = asked.read_cluster(access, groups)
    file = f"Pulumi.{settings.stack}.yaml"
    findings = check_cluster(facts, settings.platform, file=file, broker_tls=broker_tls)
    if findings := [*findings, *check_monitoring(facts, settings.monitoring, file=file)]:
        raise CatalogueError(findings)
    return facts


def _load_files(
    config: Mapping[str, str], variables: Mapping[str, str], *, stack: str, root: Path
) -> tuple[Settings, Plan]:
    try:
        settings = load_settings(config, variables, stack=stack, root=root)
    except CatalogueError as error:
        # One run shows the catalogue's findings as well, as far as they can be told without the settings.
        found = _catalogue_findings(config, stack=stack, root=root)
        raise CatalogueError([*error.findings, *found.findings], files=found.files) if found else error from None
    plan = load_plan(
        settings.catalogue_path,
        settings.environment,
        fleet=settings.spec.name,
        shown_as=settings.spec.catalogue,
        settings=read_settings(root, stack),
    )
    return settings, plan


def _catalogue_findings(config: Mapping[str, str], *, stack: str, root: Path) -> CatalogueError | None:
    name = str(config_values(config).get("catalogue", "queues.yaml"))
    settings = read_settings(root, stack)
    environment, _ = validate_environment(stack, settings)
    try:
        load_plan(root / name, environment, shown_as=name, settings=settings)
    except CatalogueError as error:
        return error
    return None
