"""From a catalogue and an environment to the Plan: each number once.

`fleet.reasons` says why each is what it is; a test evaluates the arithmetic that it shows against the numbers that are derived here.
"""

import math

from fleet import scaling, sizing
from fleet.broker_sizing import derive_broker_demand
from fleet.catalogue import Catalogue, PodSpec, QueueSpec, RetriesSpec
from fleet.cost import derive_cost
from fleet.environment import Environment
from fleet.nodes import derive_nodes
from fleet.plan import BrokerPlan, Downstream, Plan, PodExtras, Promise, QueuePlan, SecretKey, Toleration, Volume
from fleet.probes import derive_probes
from fleet.scale_in import ScaleInPlan, idle_first_pays
from fleet.scaling import AutoscalingPlan, PeakWindow, Regime
from fleet.sizing import RetryPlan
from fleet.topology import INGRESS_EXCHANGE, FleetTopology, derive_queue_topology
from fleet.web import derive_web

FLEET_NAME = "celery-fleet"
"""Name of a fleet that was given none."""


def derive_plan(catalogue: Catalogue, environment: Environment, *, fleet: str = FLEET_NAME) -> Plan:
    """Everything derived from a catalogue for one environment; the rules are in `fleet.sizing` and `fleet.scaling`."""
    queues = tuple(derive_queue(name, spec, environment) for name, spec in catalogue.queues.items())
    broker = BrokerPlan(
        nodes=environment.broker_nodes,
        cpu_millicores=environment.broker_cpu_millicores,
        memory_bytes=environment.broker_memory_bytes,
        storage_bytes=environment.broker_storage_bytes,
    )
    web = derive_web(environment.broker_nodes)
    nodes = derive_nodes(
        queues, environment.cloud, broker_nodes=broker.nodes, node_memory_bytes=environment.node_memory_bytes
    )
    return Plan(
        fleet=fleet,
        environment=environment.name,
        application=catalogue.application,
        topology=FleetTopology(
            vhost=fleet, ingress=INGRESS_EXCHANGE if any(spec.binds for spec in catalogue.queues.values()) else None
        ),
        broker=broker,
        web=web,
        queues=queues,
        nodes=nodes,
        demand=derive_broker_demand(queues, broker, web),
        cost=derive_cost(queues, nodes, broker, environment.cloud),
        scale_in=ScaleInPlan(
            queues=tuple(queue.name for queue in queues if idle_first_pays(queue.worker, queue.autoscaling))
        ),
    )


def derive_queue(name: str, spec: QueueSpec, environment: Environment) -> QueuePlan:
    """One queue's part of the Plan."""
    burst = spec.load.burst
    promise = Promise(
        mean_seconds=spec.runtime.mean,
        p99_seconds=spec.runtime.p99,
        limit_seconds=spec.runtime.limit,
        peak_per_second=spec.load.peak * environment.load_factor,
        burst_per_second=(spec.load.peak if burst is None else burst.rate) * environment.load_factor,
        burst_seconds=scaling.BURST_SECONDS if burst is None else burst.lasts,
        wait_seconds=spec.wait.promise,
        percentile=spec.wait.percentile,
    )
    pool = spec.pool or sizing.default_pool(spec.profile)
    concurrency = spec.concurrency or sizing.derive_concurrency(spec.profile, spec.runtime.mean)
    resources = sizing.derive_resources(
        profile=spec.profile,
        pool=pool,
        concurrency=concurrency,
        task_bytes=spec.memory,
        cpu_scale=environment.cpu_scale,
        cpu_millicores=spec.requests.cpu,
        memory_bytes=spec.requests.memory,
    )
    worker = sizing.derive_worker(
        pool=pool,
        concurrency=concurrency,
        hard_limit_seconds=spec.runtime.limit,
        task_bytes=spec.memory,
        memory_bytes=resources.memory_bytes,
        spot=environment.spot and spec.capacity == "spot",
        args=sizing.PoolArgs(
            prefetch_multiplier=spec.args.prefetch_multiplier,
            max_tasks_per_child=spec.args.max_tasks_per_child,
            max_memory_per_child_bytes=spec.args.max_memory_per_child,
            optimization=spec.args.optimization,
        ),
        retries=_retries(spec.retries),
    )
    timeout = sizing.derive_consumer_timeout_seconds(
        spec.runtime.limit, worker.grace_seconds, worker.prefetch_multiplier
    )
    return QueuePlan(
        name=name,
        tasks=tuple(spec.tasks),
        profile=spec.profile,
        capacity=spec.capacity if environment.spot else "on-demand",
        idempotent=spec.idempotent,
        promise=promise,
        topology=derive_queue_topology(
            name,
            shards=spec.shards,
            consumer_timeout_seconds=timeout,
            dead_letter_keep_seconds=math.ceil(spec.dead_letter.keep),
            keeps_failed=spec.dead_letter.failed,
            ingress_patterns=tuple(dict.fromkeys(spec.binds)),
        ),
        worker=worker,
        resources=resources,
        probes=derive_probes(),
        autoscaling=derive_autoscaling(name, spec, environment, promise=promise, concurrency=concurrency),
        pod=_pod_extras(spec.pod),
        priorities=dict(spec.priority),
        downstream=_downstream(spec),
        aws_policies=tuple(dict.fromkeys(spec.aws_policies)),
    )


def _retries(spec: RetriesSpec | None) -> RetryPlan | None:
    if spec is None or spec.max == 0:
        return None
    return RetryPlan(
        max_retries=spec.max,
        backoff_seconds=math.ceil(spec.backoff),
        longest_seconds=math.ceil(spec.longest),
        jitter=spec.jitter,
        exceptions=tuple(spec.on),
    )


def _downstream(spec: QueueSpec) -> Downstream | None:
    named = spec.depends_on_downstream
    return None if named is None else Downstream(name=named.name, limit=named.limit)


def derive_autoscaling(
    name: str, spec: QueueSpec, environment: Environment, *, promise: Promise, concurrency: int
) -> AutoscalingPlan:
    """The autoscaler of each shard's Deployment: regime, metric, minimum and maximum."""
    regime = scaling.derive_regime(promise.wait_seconds, environment.startup_seconds)
    slots = scaling.slots_at_peak(
        rate_per_second=promise.peak_per_second / spec.shards,
        mean_seconds=promise.mean_seconds,
        p99_seconds=promise.p99_seconds,
        wait_seconds=promise.wait_seconds,
        percentile=promise.percentile,
        busy_share=scaling.busy_share(regime),
    )
    burst_pods = scaling.burst_minimum(
        burst_per_second=promise.burst_per_second / spec.shards,
        burst_seconds=promise.burst_seconds,
        mean_seconds=promise.mean_seconds,
        wait_seconds=promise.wait_seconds,
        concurrency=concurrency,
        startup_seconds=environment.startup_seconds,
    )
    declared = environment.minimums.get(name, spec.replicas.min)
    minimum = max(declared, burst_pods) if regime is Regime.SHORT else declared
    peak = max(1, -(-slots // concurrency))
    burst_maximum = 0
    if spec.load.burst is not None:
        burst_maximum = scaling.burst_maximum(
            burst_per_second=promise.burst_per_second / spec.shards,
            burst_seconds=promise.burst_seconds,
            mean_seconds=promise.mean_seconds,
            wait_seconds=promise.wait_seconds,
            concurrency=concurrency,
            minimum=declared,
            startup_seconds=environment.startup_seconds,
        )
    wanted = max(scaling.PEAK_HEADROOM * peak, minimum, burst_maximum, *(window.min for window in spec.schedule))
    formula, target = scaling.scaling_metric(
        regime,
        mean_seconds=promise.mean_seconds,
        wait_seconds=promise.wait_seconds,
        concurrency=concurrency,
        prefetch_multiplier=spec.args.prefetch_multiplier,
    )
    return AutoscalingPlan(
        regime=regime,
        reaction_seconds=scaling.reaction_seconds(environment.startup_seconds),
        formula=formula,
        target=target,
        peak_replicas=peak,
        min_replicas=minimum,
        max_replicas=spec.replicas.max or _within_downstream(spec, wanted, concurrency),
        burst_replicas=burst_maximum,
        polling_seconds=scaling.POLLING_SECONDS,
        cooldown_seconds=scaling.COOLDOWN_SECONDS,
        scale_down_window_seconds=scaling.SCALE_DOWN_WINDOW_SECONDS[regime],
        fallback_replicas=max(1, minimum),
        fallback_failures=scaling.FALLBACK_FAILURES,
        windows=tuple(
            PeakWindow(start=window.start, end=window.end, timezone=window.timezone, min_replicas=window.min)
            for window in spec.schedule
        ),
    )


def _within_downstream(spec: QueueSpec, wanted: int, concurrency: int) -> int:
    named = spec.depends_on_downstream
    if named is None:
        return wanted
    return max(1, min(wanted, scaling.downstream_maximum(named.limit, concurrency=concurrency, shards=spec.shards)))


def _pod_extras(spec: PodSpec) -> PodExtras:
    return PodExtras(
        env=dict(spec.env),
        secrets={name: SecretKey(secret=key.secret, key=key.key) for name, key in spec.secrets.items()},
        volumes=tuple(
            Volume(
                name=volume.name,
                mount_path=volume.mount,
                read_only=volume.read_only,
                secret=volume.secret,
                config_map=volume.config_map,
                claim=volume.claim,
                empty_dir_bytes=volume.empty_dir,
            )
            for volume in spec.volumes
        ),
        node_selector=dict(spec.node_selector),
        tolerations=tuple(
            Toleration(key=item.key, operator=item.operator, value=item.value, effect=item.effect)
            for item in spec.tolerations
        ),
        gpu=spec.gpu,
    )
