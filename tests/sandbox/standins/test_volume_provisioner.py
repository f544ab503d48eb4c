"""Claims of StorageClass `local` get a folder that lives exactly as long as their volume.

Upstream: kubernetes/kubernetes v1.36 `pkg/controller/volume/persistentvolume/pv_controller.go`;
kubernetes-sigs/sig-storage-lib-external-provisioner v11 `controller/controller.go`.
"""

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest

from sandbox.standins.api_server import Key
from sandbox.standins.volume_provisioner import Provisioner, grown_size, storage_class, volume, wants_volume
from tests.sandbox.standins.rabbitmq_fakes import InMemoryApiServer

CLAIM = Key("PersistentVolumeClaim", "fleet", "persistence-broker-server-0")
VOLUME = Key("PersistentVolume", "", "pvc-u1")


def claim(**changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = {
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": CLAIM.name,
            "namespace": "fleet",
            "uid": "u1",
            "annotations": {"volume.kubernetes.io/selected-node": "node-1"},
        },
        "spec": {
            "storageClassName": "local",
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    for path, value in changes.items():
        part, _, field = path.partition("__")
        content.setdefault(part, {})[field] = value
    return content


def provision(root: Path, api: InMemoryApiServer, *keys: Key) -> None:
    async def run() -> None:
        provisioner = Provisioner(api, root)
        for key in keys:
            await provisioner.reconcile(key)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        pytest.param({}, True, id="its-pod-has-a-node"),
        pytest.param({"metadata__annotations": {}}, False, id="its-pod-has-none-yet"),
        pytest.param({"spec__storageClassName": "gp3"}, False, id="another-class"),
        pytest.param(
            {
                "spec__storageClassName": "gp3-encrypted",
                "metadata__annotations": {
                    "volume.kubernetes.io/selected-node": "node-1",
                    "volume.kubernetes.io/storage-provisioner": "ebs.csi.aws.com",
                },
            },
            True,
            id="a-class-of-ebs",
        ),
        pytest.param({"spec__volumeName": "pvc-u1"}, False, id="bound"),
        pytest.param({"metadata__deletionTimestamp": "now"}, False, id="on-its-way-out"),
    ],
)
def test_a_volume_is_made_when_the_scheduler_has_chosen(changes: dict[str, Any], *, wanted: bool) -> None:
    """WaitForFirstConsumer, as with a cloud's disks."""
    assert wants_volume(claim(**changes)) is wanted


def test_the_volume_is_bound_to_its_claim_and_node() -> None:
    """No other claim can take it, and no pod elsewhere."""
    made = volume(claim(), Path("/volumes/pvc-u1"))
    assert made["metadata"]["name"] == "pvc-u1"
    assert made["metadata"]["annotations"] == {"pv.kubernetes.io/provisioned-by": "celery-fleet/local"}
    assert made["spec"]["claimRef"]["uid"] == "u1"
    assert made["spec"]["hostPath"] == {"path": "/volumes/pvc-u1", "type": "Directory"}
    assert made["spec"]["capacity"] == {"storage": "1Gi"}
    terms = made["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["values"] == ["node-1"]


def test_the_class_is_the_default_one() -> None:
    """A claim without a class gets a volume too."""
    content = storage_class()
    assert content["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}
    assert content["volumeBindingMode"] == "WaitForFirstConsumer"


def test_a_claim_gets_a_folder_that_any_uid_can_write(tmp_path: Path) -> None:
    """A hostPath gets no ownership from fsGroup."""
    api = InMemoryApiServer()
    api.add(claim())
    provision(tmp_path, api, CLAIM)
    assert stat.S_IMODE((tmp_path / "pvc-u1").stat().st_mode) & 0o777 == 0o777
    assert VOLUME in api.objects


def test_data_outlives_everything_but_the_claim(tmp_path: Path) -> None:
    """Only a released volume loses its folder."""
    api = InMemoryApiServer()
    api.add(claim())
    provision(tmp_path, api, CLAIM)
    (tmp_path / "pvc-u1" / "data").write_text("messages")
    for phase in ("Available", "Bound"):
        api.objects[VOLUME]["status"] = {"phase": phase}
        provision(tmp_path, api, CLAIM, VOLUME)
        assert (tmp_path / "pvc-u1" / "data").read_text() == "messages"
    api.objects[VOLUME]["status"] = {"phase": "Released"}
    provision(tmp_path, api, VOLUME)
    assert not (tmp_path / "pvc-u1").exists()
    assert VOLUME not in api.objects


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/etc", id="elsewhere"),
        pytest.param("{root}", id="the-root"),
        pytest.param("{root}/a/b", id="deep"),
    ],
)
def test_a_folder_elsewhere_is_left_alone(tmp_path: Path, path: str) -> None:
    """Whatever a volume claims to be."""
    precious = tmp_path / "a" / "b"
    precious.mkdir(parents=True)
    api = InMemoryApiServer()
    api.add(claim())
    made = volume(claim(), Path(path.format(root=tmp_path))) | {"status": {"phase": "Released"}}
    api.add(made)
    provision(tmp_path, api, VOLUME)
    assert precious.exists()
    assert VOLUME in api.objects


def test_volumes_of_others_are_left_alone(tmp_path: Path) -> None:
    """Another provisioner's, or one that its owner wants retained."""
    api = InMemoryApiServer()
    folder = tmp_path / "pvc-u1"
    folder.mkdir()
    made = volume(claim(), folder) | {"status": {"phase": "Released"}}
    made["spec"]["persistentVolumeReclaimPolicy"] = "Retain"
    api.add(made)
    provision(tmp_path, api, VOLUME)
    assert folder.exists()


def test_a_bound_claim_grows(tmp_path: Path) -> None:
    """Folders have no size, so it is enough to say so."""
    api = InMemoryApiServer()
    api.add(claim())
    provision(tmp_path, api, CLAIM)
    bound = claim(spec__volumeName="pvc-u1", status__capacity={"storage": "1Gi"})
    bound["spec"]["resources"]["requests"]["storage"] = "2Gi"
    assert grown_size(claim(status__capacity={"storage": "1Gi"})) is None
    api.add(bound)
    provision(tmp_path, api, CLAIM)
    assert api.objects[VOLUME]["spec"]["capacity"] == {"storage": "2Gi"}
    assert api.objects[CLAIM]["status"]["capacity"] == {"storage": "2Gi"}
