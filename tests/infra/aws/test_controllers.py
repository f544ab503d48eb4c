"""What the charts of the controllers are told."""

from typing import Any

import pytest

from fleet.documents import producer_document
from infra.aws.controllers import ControllersArgs, load_balancer_values
from infra.placement import eks_placements
from infra.web import Web, WebArgs
from tests.infra.aws.samples import PLACE, TAGS
from tests.infra.recording import record
from tests.infra.samples import IMAGE, sample_plan


def values(system_nodes: int = 3) -> dict[str, Any]:
    """The values of the load balancer controller's chart."""
    args = ControllersArgs(
        place=PLACE,
        cluster_name=PLACE.name,
        vpc_id="vpc-1",
        placement=eks_placements("karpenter").system,
        system_nodes=system_nodes,
    )
    return load_balancer_values(args)


def test_the_controller_is_told_where_it_is() -> None:
    """Pods do not reach the metadata of their instance; what it makes is tagged like everything else."""
    told = values()
    assert (told["clusterName"], told["region"], told["vpcId"]) == ("celery-fleet-prod", "us-east-1", "vpc-1")
    assert told["serviceAccount"] == {"name": "aws-load-balancer-controller"}
    assert told["defaultTags"] == TAGS


@pytest.mark.parametrize(("nodes", "replicas"), [pytest.param(1, 1, id="one-node"), pytest.param(3, 2, id="several")])
def test_a_controller_that_stands_by_has_a_node_of_its_own(nodes: int, replicas: int) -> None:
    """A second replica on one node would never start; where there are two, a drain takes one at a time."""
    told = values(nodes)
    assert told["replicaCount"] == replicas
    assert told["podDisruptionBudget"] == {"maxUnavailable": 1}


def test_pods_start_without_the_controller() -> None:
    """Its webhook sees web pods alone, and while it is away not even those wait for it."""
    told = values()
    assert told["podMutatorWebhookConfig"] == {"failurePolicy": "Ignore"}
    assert told["enableServiceMutatorWebhook"] is False
    plan = sample_plan("prod")
    args = WebArgs(document=producer_document(plan), image=IMAGE, results_secret="results-1", plan=plan.web)
    template = record(lambda: Web("web", args)).one("Deployment").inputs["spec"]["template"]
    seen = told["objectSelector"]["matchLabels"]
    assert seen == {"app.kubernetes.io/component": "web"}
    assert seen.items() <= template["metadata"]["labels"].items()


def test_what_the_role_may_not_do_is_off() -> None:
    """A controller that is refused goes on asking, and changes nothing else of that load balancer meanwhile."""
    told = values()
    assert (told["enableShield"], told["enableWaf"]) == (False, False)
    assert "enableWafv2" not in told


def test_an_upgrade_keeps_the_certificate_of_the_webhooks() -> None:
    """With a new one the API server would refuse what the old pods still answer."""
    assert values()["keepTLSSecret"] is True
