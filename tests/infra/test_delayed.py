"""The Job that declares the delayed-delivery tree."""

from fleet.documents import DelayedDeliveryDocument, delayed_delivery_document
from infra.delayed import DelayedDelivery, DelayedDeliveryArgs
from tests.infra.recording import Recorded, record
from tests.infra.samples import IMAGE, sample_plan


def declared(document: DelayedDeliveryDocument) -> Recorded:
    """The Job for one document."""
    return record(lambda: DelayedDelivery("delayed", DelayedDeliveryArgs(document=document, image=IMAGE)))


def test_another_list_of_queues_is_another_job() -> None:
    """Both the resource and the object carry the hash, so the old one goes and a new one runs."""
    document = delayed_delivery_document(sample_plan())
    other = delayed_delivery_document(sample_plan(fleet="another"))
    first, same, second = (declared(item).one("Job") for item in (document, document, other))
    assert (first.name, first.inputs["metadata"]["name"]) == (same.name, same.inputs["metadata"]["name"])
    assert first.name != second.name
    assert first.inputs["metadata"]["name"] != second.inputs["metadata"]["name"]


def test_a_finished_job_stays() -> None:
    """A time to live would let it vanish, and a vanished Job is drift."""
    job = declared(delayed_delivery_document(sample_plan())).one("Job")
    assert "ttlSecondsAfterFinished" not in job.inputs["spec"]


def test_a_new_image_does_not_run_it_again() -> None:
    """What it declared stays, and a Job cannot be changed."""
    job = declared(delayed_delivery_document(sample_plan())).one("Job")
    assert job.ignore_changes == ("spec.template.spec.containers[0].image",)
    assert job.inputs["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE


def test_it_runs_as_the_user_that_may_declare() -> None:
    """And as no other."""
    container = (
        declared(delayed_delivery_document(sample_plan()))
        .one("Job")
        .inputs["spec"]["template"]["spec"]["containers"][0]
    )
    secrets = {
        item["valueFrom"]["secretKeyRef"]["name"]
        for item in container["env"]
        if "secretKeyRef" in item.get("valueFrom", {})
    }
    assert secrets == {"topology-user-credentials"}
    assert container["command"] == ["python", "-m", "app.delayed_delivery"]
