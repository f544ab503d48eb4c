"""Watches issuers, Certificates and their Secrets, and brings each Certificate to a Secret that serves.

Invariant: a Certificate whose Secret serves is left alone, however often it is looked at, and is looked at again when it has to be renewed. An issuer
that cannot sign says so in its condition, and a Certificate that waits for it in its own.
Facts from: cert-manager v1.19.2 `pkg/issuer/{ca,selfsigned}/setup.go`, `internal/controller/certificates/secrets.go` (annotations and label of the
Secret, which stays when its Certificate goes) and `pkg/controller/certificates`; `cmctl renew` sets the condition `Issuing`.
"""

import datetime
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import kopf
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from sandbox.standins.api_server import ApiError, ApiServer, Key, Object, kind_address
from sandbox.standins.cert_manager.authority import brought_authority
from sandbox.standins.cert_manager.issuing import (
    Order,
    Signer,
    is_authority,
    kept_key,
    new_key,
    read_pair,
    renewal_time,
    signed,
    why_another,
    written_key,
)
from sandbox.standins.secret_data import decode_data, encode_data
from sandbox.standins.work_queue import RetryLaterError, WorkQueue

CLUSTER_NAMESPACE: Final = "cert-manager"
"""Where the Secrets of ClusterIssuers lie."""

ISSUER_KINDS: Final = ("Issuer", "ClusterIssuer")
LOOKED_AGAIN_SECONDS: Final = 3600.0
_ANNOTATION: Final = "cert-manager.io/"

logger = logging.getLogger(__name__)


class NotReadyError(Exception):
    """What is asked for cannot be given yet; the text is fit for a condition's message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def utc_now() -> datetime.datetime:
    """Now, in whole seconds: certificates and Kubernetes know no smaller ones."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


class Controllers:
    """The stand-in at work."""

    def __init__(self, api: ApiServer, *, now: Callable[[], datetime.datetime] = utc_now) -> None:
        self._api = api
        self._now = now
        self._known: dict[Key, Object] = {}
        self.queue: WorkQueue[Key] = WorkQueue(self.reconcile, workers=2)

    async def run(self) -> None:
        """Work until cancelled, after the sandbox's own authority has been asked for."""
        for manifest in brought_authority():
            await self._api.apply(manifest)
        await self.queue.run()

    def on_event(self, change: str | None, obj: Object) -> None:
        """An issuer, a Certificate or a Secret changed: look at it and at the Certificates that rest on it."""
        key = Key.of(obj)
        if key.kind != "Secret":
            if change == "DELETED":
                self._known.pop(key, None)
            else:
                self._known[key] = obj
                self.queue.add(key)
        for other, known in self._known.items():
            if self._rests_on(other, known, key):
                self.queue.add(other)

    def _rests_on(self, key: Key, known: Object, changed: Key) -> bool:
        spec = known["spec"]
        if changed.kind == "Secret" and key.kind == "Certificate":
            return (key.namespace, spec["secretName"]) == (changed.namespace, changed.name)
        if changed.kind == "Secret":
            place = key.namespace or CLUSTER_NAMESPACE
            return (place, (spec.get("ca") or {}).get("secretName")) == (changed.namespace, changed.name)
        return key.kind == "Certificate" and _issuer_of(spec) == (changed.kind, changed.name)

    async def reconcile(self, key: Key) -> float | None:
        """Bring one issuer or one Certificate to where it should be.

        Returns: after how many seconds to look again.
        Raises: RetryLaterError while something is missing.
        """
        resource = await self._api.get(key)
        if resource is None or resource["metadata"].get("deletionTimestamp"):
            return None
        try:
            if key.kind == "Certificate":
                return await self._serve(key, resource)
            await self._check_issuer(key, resource)
        except NotReadyError as error:
            await self._say(key, resource, "False", error.reason, str(error))
            raise RetryLaterError(str(error)) from error
        except ApiError as error:
            raise RetryLaterError(str(error)) from error
        return None

    async def _check_issuer(self, key: Key, resource: Object) -> None:
        if await self._signer(key, resource) is None:
            await self._say(key, resource, "True", "IsReady", "")
        else:
            await self._say(key, resource, "True", "KeyPairVerified", "Signing CA verified")

    async def _signer(self, key: Key, resource: Object) -> Signer | None:
        """Whose key signs; None where whatever is signed signs itself."""
        if "ca" not in resource["spec"]:
            return None
        name, namespace = resource["spec"]["ca"]["secretName"], key.namespace or CLUSTER_NAMESPACE
        data = await self._data(Key("Secret", namespace, name))
        if not {"tls.crt", "tls.key"} <= data.keys():
            raise NotReadyError("ErrGetKeyPair", f'Error getting keypair for CA issuer: secret "{name}" not found')
        try:
            certificate, signing = read_pair(data)
        except ValueError as error:
            raise NotReadyError("ErrGetKeyPair", f"Error getting keypair for CA issuer: {error}") from None
        if not is_authority(certificate):
            raise NotReadyError("ErrInvalidKeyPair", "Signing CA is not a certificate authority: isCA is false")
        return Signer(certificate=certificate, key=signing)

    async def _data(self, key: Key) -> dict[str, str]:
        secret = await self._api.get(key)
        return decode_data((secret or {}).get("data"))

    async def _serve(self, key: Key, resource: Object) -> float:
        spec = resource["spec"]
        try:
            order = Order.of(spec)
        except ValueError as error:
            raise NotReadyError("InvalidCertificate", str(error)) from None
        kind, name = _issuer_of(spec)
        issuer_key = Key(kind, "" if kind == "ClusterIssuer" else key.namespace, name)
        issuer = await self._api.get(issuer_key)
        if issuer is None:
            raise NotReadyError("Pending", f"Referenced {kind} not found: {name}")
        secret = await self._api.get(Key("Secret", key.namespace, spec["secretName"]))
        data = decode_data((secret or {}).get("data"))
        told = (secret or {}).get("metadata", {}).get("annotations") or {}
        issued_by = (told.get(f"{_ANNOTATION}issuer-kind", ""), told.get(f"{_ANNOTATION}issuer-name", ""))
        reason = why_another(order, data, (kind, name), issued_by, self._now())
        asked = _condition(resource, "Issuing").get("status") == "True"
        revision = int((resource.get("status") or {}).get("revision") or 0)
        if reason is not None or asked:
            logger.info("%s: %s", key, reason or "Issuing certificate as it was asked for")
            signer = await self._signer(issuer_key, issuer)
            data = self._issued(order, data, signer)
            await self._api.apply(_secret(key, spec, data))
            revision += 1
        certificate = x509.load_pem_x509_certificate(data["tls.crt"].encode())
        renewal = renewal_time(order, certificate)
        times = {
            "notBefore": _written(certificate.not_valid_before_utc),
            "notAfter": _written(certificate.not_valid_after_utc),
            "renewalTime": _written(renewal),
            "revision": revision,
        }
        message = "Certificate is up to date and has not expired"
        await self._say(key, resource, "True", "Ready", message, **times)
        return min(LOOKED_AGAIN_SECONDS, max(1.0, (renewal - self._now()).total_seconds()))

    def _issued(self, order: Order, data: Mapping[str, str], signer: Signer | None) -> dict[str, str]:
        key = kept_key(order, data) or new_key(order)
        certificate = signed(order, key, signer, self._now())
        authority = certificate if signer is None else signer.certificate
        return {
            "tls.crt": certificate.public_bytes(serialization.Encoding.PEM).decode(),
            "tls.key": written_key(order, key),
            "ca.crt": authority.public_bytes(serialization.Encoding.PEM).decode(),
        }

    async def _say(self, key: Key, resource: Object, status: str, reason: str, message: str, **more: object) -> None:
        """Write the condition `Ready`; one that was there with the same status keeps its time."""
        previous = _condition(resource, "Ready")
        since = previous.get("lastTransitionTime") if previous.get("status") == status else None
        ready = {
            "type": "Ready",
            "status": status,
            "reason": reason,
            "message": message,
            "observedGeneration": resource["metadata"].get("generation", 0),
            "lastTransitionTime": since or _written(self._now()),
        }
        wanted = {"conditions": [ready], **more}
        current = resource.get("status") or {}
        if any(current.get(field) != value for field, value in wanted.items()):
            await self._api.merge(key, {"status": wanted}, subresource="status")


def _issuer_of(spec: Mapping[str, Any]) -> tuple[str, str]:
    return spec["issuerRef"].get("kind") or "Issuer", spec["issuerRef"]["name"]


def _condition(resource: Object, name: str) -> dict[str, Any]:
    conditions = (resource.get("status") or {}).get("conditions") or []
    return next((entry for entry in conditions if entry["type"] == name), {})


def _written(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _secret(certificate: Key, spec: Mapping[str, Any], data: Mapping[str, str]) -> Object:
    """The Secret; it has no owner, as upstream's has none unless it is asked for."""
    kind, name = _issuer_of(spec)
    annotations = {
        "certificate-name": certificate.name,
        "common-name": spec.get("commonName", ""),
        "alt-names": ",".join(spec.get("dnsNames") or ()),
        "ip-sans": ",".join(spec.get("ipAddresses") or ()),
        "uri-sans": "",
        "issuer-group": spec["issuerRef"].get("group") or "cert-manager.io",
        "issuer-kind": kind,
        "issuer-name": name,
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": spec["secretName"],
            "namespace": certificate.namespace,
            "annotations": {f"{_ANNOTATION}{key}": value for key, value in annotations.items()},
            "labels": {"controller.cert-manager.io/fao": "true"},
        },
        "type": "kubernetes.io/tls",
        "data": encode_data(data),
    }


def register(registry: kopf.OperatorRegistry, controllers: Controllers) -> None:
    """Tell kopf which kinds to watch and where their events go."""
    for kind in (*ISSUER_KINDS, "Certificate", "Secret"):
        version, plural = kind_address(kind)
        group, _, version_name = version.rpartition("/")

        async def on_event(event: Mapping[str, Any], kind: str = kind, **_: object) -> None:
            controllers.on_event(event["type"], {**event["object"], "kind": kind})

        kopf.on.event(group, version_name, plural, registry=registry, id=f"watch-{plural}")(on_event)
