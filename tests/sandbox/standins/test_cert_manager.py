"""cert-manager's stand-in: what it signs, when it signs anew, and what it says while it cannot.

Upstream: cert-manager/cert-manager v1.19.2 `internal/controller/certificates/policies/checks.go`.
"""

import asyncio
import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from sandbox.standins.api_server import Key, Object
from sandbox.standins.cert_manager.authority import brought_authority
from sandbox.standins.cert_manager.controllers import Controllers, NotReadyError
from sandbox.standins.cert_manager.issuing import parse_duration
from sandbox.standins.secret_data import decode_data, encode_data
from sandbox.standins.work_queue import RetryLaterError
from tests.sandbox.standins.rabbitmq_fakes import InMemoryApiServer

NAME = "broker.shop.svc"
BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Bench:
    """A cluster with the sandbox's authority, a clock, and one Certificate."""

    def __init__(self, **spec: Any) -> None:
        self.api = InMemoryApiServer()
        self.now = BEGIN
        self.controllers = Controllers(self.api, now=lambda: self.now)
        for manifest in brought_authority():
            self.api.add(manifest)
        self.key = Key("Certificate", "shop", "broker")
        reference = {"kind": "ClusterIssuer", "name": "fleet-sandbox"}
        content = {"secretName": "broker-tls", "dnsNames": [NAME], "issuerRef": reference, **spec}
        self.api.add({"kind": "Certificate", "metadata": {"name": "broker", "namespace": "shop"}, "spec": content})

    def settle(self) -> None:
        """Look at everything until nothing waits for anything."""
        for _ in range(4):
            for key in sorted(self.api.objects):
                if key.kind in {"Certificate", "Issuer", "ClusterIssuer"}:
                    self.look(key)

    def look(self, key: Key | None = None) -> str | None:
        """Look at one resource; what it waits for."""
        try:
            asyncio.run(self.controllers.reconcile(key or self.key))
        except RetryLaterError as reason:
            return str(reason)
        return None

    def data(self, key: Key | None = None) -> dict[str, str]:
        """What a Secret holds, by default the broker's."""
        return decode_data(self.api.objects[key or Key("Secret", "shop", "broker-tls")]["data"])

    def change(self, **spec: Any) -> None:
        """Another word in the Certificate."""
        self.api.objects[self.key]["spec"] |= spec

    def condition(self, key: Key | None = None) -> Object:
        """What it says of itself."""
        [ready] = self.api.objects[key or self.key]["status"]["conditions"]
        found: Object = ready
        return found


@pytest.fixture
def bench() -> Bench:
    """Everything signed once."""
    found = Bench(privateKey={"algorithm": "ECDSA", "rotationPolicy": "Always"}, duration="2160h0m0s")
    found.settle()
    return found


def is_believed(bench: Bench, name: str = NAME) -> bool:
    """Whether a client that trusts the Secret's `ca.crt` believes the certificate for a name."""
    data = bench.data()
    store = Store([x509.load_pem_x509_certificate(data["ca.crt"].encode())])
    verifier = PolicyBuilder().store(store).time(bench.now).build_server_verifier(x509.DNSName(name))
    try:
        verifier.verify(x509.load_pem_x509_certificate(data["tls.crt"].encode()), [])
    except VerificationError:
        return False
    return True


def test_a_certificate_is_believed_for_its_names_alone(bench: Bench) -> None:
    """By whoever trusts the authority that stands beside it."""
    assert is_believed(bench)
    assert not is_believed(bench, "broker.other.svc")
    assert bench.condition()["status"] == "True"


def test_the_authority_is_beside_the_operators(bench: Bench) -> None:
    """The one that signs, without its key."""
    beside = bench.data(Key("Secret", "rabbitmq-system", "fleet-sandbox"))
    signing = bench.data(Key("Secret", "cert-manager", "fleet-sandbox"))
    assert beside["ca.crt"] == signing["tls.crt"] == bench.data()["ca.crt"]
    assert beside["tls.key"] != signing["tls.key"]


def test_the_secret_is_written_as_upstream_writes_it(bench: Bench) -> None:
    """Type, annotations and label; no owner, so it stays when its Certificate goes."""
    secret = bench.api.objects[Key("Secret", "shop", "broker-tls")]
    assert secret["type"] == "kubernetes.io/tls"
    assert secret["metadata"]["annotations"]["cert-manager.io/certificate-name"] == "broker"
    assert secret["metadata"]["annotations"]["cert-manager.io/issuer-kind"] == "ClusterIssuer"
    assert secret["metadata"]["labels"] == {"controller.cert-manager.io/fao": "true"}
    assert "ownerReferences" not in secret["metadata"]
    assert secret["data"].keys() == {"tls.crt", "tls.key", "ca.crt"}


def test_one_that_serves_is_left_alone(bench: Bench) -> None:
    """However often it is looked at."""
    before = bench.data()
    bench.settle()
    assert bench.data() == before
    assert bench.api.objects[bench.key]["status"]["revision"] == 1


def _names(bench: Bench) -> None:
    bench.change(dnsNames=[NAME, "broker"])


def _issuer(bench: Bench) -> None:
    for manifest in brought_authority()[1:3]:
        other = {**manifest, "metadata": {**manifest["metadata"], "name": "other"}}
        place = (
            {"ca": {"secretName": "other"}} if "ca" in manifest["spec"] else {**manifest["spec"], "secretName": "other"}
        )
        bench.api.add({**other, "spec": place})
        bench.look(Key.of(other))
    bench.change(issuerRef={"kind": "ClusterIssuer", "name": "other"})


def _kind_of_key(bench: Bench) -> None:
    bench.change(privateKey={"algorithm": "ECDSA", "size": 384})


def _time(bench: Bench) -> None:
    bench.now += datetime.timedelta(days=61)


def _deletion(bench: Bench) -> None:
    del bench.api.objects[Key("Secret", "shop", "broker-tls")]


def _garbage(bench: Bench) -> None:
    bench.api.objects[Key("Secret", "shop", "broker-tls")]["data"]["tls.key"] = encode_data({"": "no key"})[""]


def _request(bench: Bench) -> None:
    issuing = {"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "re-issuance"}
    bench.api.objects[bench.key]["status"]["conditions"].append(issuing)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_names, id="other-names"),
        pytest.param(_issuer, id="another-issuer"),
        pytest.param(_kind_of_key, id="another-kind-of-key"),
        pytest.param(_time, id="a-third-of-its-time-is-left"),
        pytest.param(_deletion, id="its-secret-is-gone"),
        pytest.param(_garbage, id="its-secret-holds-no-key"),
        pytest.param(_request, id="asked-for-as-cmctl-renew-does"),
    ],
)
def test_another_is_made_when_the_one_that_is_there_serves_no_longer(bench: Bench, change: Any) -> None:
    """Believed like the first, and with a key of its own."""
    before = bench.data()
    change(bench)
    bench.look()
    assert bench.data()["tls.crt"] != before["tls.crt"]
    assert bench.data()["tls.key"] != before["tls.key"]
    assert is_believed(bench)
    assert bench.api.objects[bench.key]["status"]["revision"] == 2
    assert bench.condition()["type"] == "Ready"


def test_a_key_that_is_to_stay_stays(bench: Bench) -> None:
    """What an authority signed before its renewal is believed by its new certificate."""
    before = bench.data(Key("Secret", "cert-manager", "fleet-sandbox"))
    bench.now += datetime.timedelta(days=300)
    authority = Key("Certificate", "cert-manager", "fleet-sandbox")
    bench.look(authority)
    after = bench.data(Key("Secret", "cert-manager", "fleet-sandbox"))
    assert (after["tls.key"], after["tls.crt"] != before["tls.crt"]) == (before["tls.key"], True)


def test_it_is_looked_at_again_when_it_has_to_be_renewed(bench: Bench) -> None:
    """Not before, and an hour later at most."""
    bench.now += datetime.timedelta(days=60) - datetime.timedelta(minutes=10)
    assert asyncio.run(bench.controllers.reconcile(bench.key)) == pytest.approx(600)


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        pytest.param({"kind": "ClusterIssuer", "name": "nobody"}, "ClusterIssuer not found: nobody", id="no-issuer"),
        pytest.param({"name": "fleet-sandbox"}, "Issuer not found: fleet-sandbox", id="of-the-namespace-by-default"),
    ],
)
def test_a_certificate_without_an_issuer_waits_and_says_so(reference: dict[str, str], says: str) -> None:
    found = Bench(issuerRef=reference)
    waits = found.look()
    assert waits is not None
    assert says in waits
    assert (found.condition()["status"], says in found.condition()["message"]) == ("False", True)


def test_an_issuer_without_its_keypair_is_not_ready() -> None:
    """As upstream says it, and again when the Secret has come."""
    found, issuer = Bench(), Key("ClusterIssuer", "", "fleet-sandbox")
    assert found.look(issuer) is not None
    assert found.condition(issuer)["reason"] == "ErrGetKeyPair"
    found.settle()
    assert (found.condition(issuer)["status"], found.condition(issuer)["reason"]) == ("True", "KeyPairVerified")


def test_a_certificate_that_is_no_authority_signs_nothing() -> None:
    """Else whoever has some certificate could sign for others."""
    found = Bench()
    found.settle()
    found.api.add(
        {
            "kind": "Issuer",
            "metadata": {"name": "false", "namespace": "shop"},
            "spec": {"ca": {"secretName": "broker-tls"}},
        }
    )
    assert "no" in (found.look(Key("Issuer", "shop", "false")) or "")
    assert found.condition(Key("Issuer", "shop", "false"))["reason"] == "ErrInvalidKeyPair"


def test_an_issuer_whose_keypair_cannot_be_read_is_not_ready() -> None:
    """The condition says what is wrong with it."""
    found, issuer = Bench(), Key("ClusterIssuer", "", "fleet-sandbox")
    found.settle()
    found.api.objects[Key("Secret", "cert-manager", "fleet-sandbox")]["data"] |= encode_data({"tls.crt": "none"})
    assert found.look(issuer) is not None
    assert (found.condition(issuer)["status"], found.condition(issuer)["reason"]) == ("False", "ErrGetKeyPair")


def test_what_is_no_duration_is_told() -> None:
    found = Bench(duration="90 days")
    assert "90 days" in (found.look() or "")
    assert found.condition()["reason"] == "InvalidCertificate"


@pytest.mark.parametrize(("text", "seconds"), [("2160h0m0s", 7_776_000), ("1h30m", 5400), ("500ms", 0.5)])
def test_durations_are_read_as_go_reads_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


def test_a_changed_secret_brings_its_certificate_and_its_issuer() -> None:
    """One that somebody deleted is made anew at once."""
    found = Bench()

    async def seen(secret: dict[str, str]) -> set[Key]:
        for key, obj in found.api.objects.items():
            found.controllers._known[key] = obj
        found.controllers.on_event("DELETED", {"kind": "Secret", "metadata": secret})
        return set(found.controllers.queue._due)

    assert found.key in asyncio.run(seen({"namespace": "shop", "name": "broker-tls"}))
    waiting = asyncio.run(seen({"namespace": "cert-manager", "name": "fleet-sandbox"}))
    assert Key("ClusterIssuer", "", "fleet-sandbox") in waiting


def test_the_reason_of_a_refusal_stands_beside_its_text() -> None:
    assert NotReadyError("Pending", "waits").reason == "Pending"
