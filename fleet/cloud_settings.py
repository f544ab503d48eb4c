"""The key `cloud` of an environment's settings: what may stand there, and the `Cloud` that comes of it."""

from typing import Annotated, Literal

from pydantic import Field

from fleet.catalogue import Model
from fleet.cloud import CLOUDS, Cloud, Nat, default_cloud
from fleet.instances import INSTANCE_TYPES
from fleet.prices import PRICES, REGION_FACTORS
from fleet.quantities import Size
from fleet.records import Record


class CloudSpec(Model):
    """What may stand under `cloud`."""

    provider: Literal["aws", "none"] | None = None
    """`none` for a cluster of your own: no nodes are counted and nothing costs."""
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] | None = None
    """AWS region."""
    price_factor: Annotated[float | None, Field(gt=0, le=5, alias="priceFactor")] = None
    """Factor on the prices of us-east-1, where the region's own is unknown or better known."""
    zones: Annotated[int, Field(ge=1, le=6)] | None = None
    """Availability zones that nodes and brokers are spread over; the control plane's network and the load balancer have two at least."""
    system_instance: Annotated[str | None, Field(alias="systemInstance")] = None
    """Instance type of the nodes for DNS, operators, KEDA, Karpenter and the web layer."""
    system_nodes: Annotated[int | None, Field(ge=1, le=100, alias="systemNodes")] = None
    """How many of them."""
    broker_instance: Annotated[str | None, Field(alias="brokerInstance")] = None
    """Instance type of the brokers' nodes, one for each RabbitMQ node."""
    worker_instances: Annotated[list[str] | None, Field(min_length=1, alias="workerInstances")] = None
    """Instance types that workers may run on: of the smallest that hold a pod, the one on which it costs least."""
    node_disk: Annotated[Size | None, Field(alias="nodeDisk")] = None
    """Root volume of each node."""
    broker_iops: Annotated[int | None, Field(ge=3000, le=16000, alias="brokerIops")] = None
    """IOPS of each broker's volume; 3000 cost nothing."""
    nat: Nat | None = None
    """Way to the internet: one NAT gateway (`single`), one `per_zone`, an `instance` (t4g.nano), or `none` (AWS services alone, by private endpoints)."""
    results_instance: Annotated[str | None, Field(alias="resultsInstance")] = None
    """ElastiCache node type of the results store, without `cache.`."""
    results_nodes: Annotated[int | None, Field(ge=1, le=6, alias="resultsNodes")] = None
    """How many of them."""


def derive_cloud(name: str, spec: CloudSpec) -> Cloud | None:
    """The place from what is stated; `wrong_settings` says what of it cannot be."""
    base = default_cloud(name)
    if spec.provider == "none" or (base is None and spec.provider is None):
        return None
    base = base or CLOUDS["dev"]
    region = spec.region or base.region
    stated = {
        "region": region,
        "price_factor": spec.price_factor or REGION_FACTORS.get(region, 1.0),
        "zones": spec.zones,
        "system_instance": spec.system_instance,
        "system_nodes": spec.system_nodes,
        "broker_instance": spec.broker_instance,
        "worker_instances": tuple(spec.worker_instances) if spec.worker_instances else None,
        "node_disk_bytes": spec.node_disk,
        "broker_iops": spec.broker_iops,
        "nat": spec.nat,
        "results_instance": spec.results_instance,
        "results_nodes": spec.results_nodes,
    }
    fields = {field: getattr(base, field) for field in base.__struct_fields__}
    return Cloud(**{**fields, **{field: value for field, value in stated.items() if value is not None}})


class WrongSetting(Record, frozen=True, kw_only=True):
    """A setting of `cloud` that cannot be."""

    path: tuple[str | int, ...]
    """Below `cloud`."""
    problem: str
    fix: str


def wrong_settings(spec: CloudSpec) -> list[WrongSetting]:
    """Instance types and regions that have no size or no price here."""
    known = ", ".join(INSTANCE_TYPES)
    named: list[tuple[tuple[str | int, ...], str | None]] = [
        (("systemInstance",), spec.system_instance),
        (("brokerInstance",), spec.broker_instance),
        *((("workerInstances", index), name) for index, name in enumerate(spec.worker_instances or ())),
    ]
    found = [
        WrongSetting(path=path, problem=f"is {name!r}, whose size is not known", fix=f"Write one of {known}.")
        for path, name in named
        if name is not None and name not in INSTANCE_TYPES
    ]
    if spec.results_instance is not None and f"valkey.{spec.results_instance}" not in PRICES:
        stores = ", ".join(item.removeprefix("valkey.") for item in PRICES if item.startswith("valkey."))
        found.append(
            WrongSetting(
                path=("resultsInstance",),
                problem=f"is {spec.results_instance!r}, whose price is not known",
                fix=f"Write one of {stores}.",
            )
        )
    if spec.region is not None and spec.region not in REGION_FACTORS and spec.price_factor is None:
        found.append(
            WrongSetting(
                path=("region",),
                problem=f"is {spec.region!r}, whose prices are not known",
                fix=f"Add priceFactor, its prices over those of us-east-1, or write one of {', '.join(REGION_FACTORS)}.",
            )
        )
    return found
