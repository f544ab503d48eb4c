"""One certificate: what is asked for, whether the one that is there still serves, and the making of another.

Invariant: pure but for the random numbers of a key; times are given. A certificate holds the names that were asked for and no others.
Facts from: cert-manager v1.19.2 `internal/controller/certificates/policies/checks.go` (when another is made), `pkg/util/pki` (key usages, encodings)
and `pkg/apis/certmanager/v1/types_certificate.go` (defaults).
"""

import datetime
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

DEFAULT_DURATION_SECONDS: Final = 90 * 24 * 3600.0
DEFAULT_USAGES: Final = ("digital signature", "key encipherment")
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_CURVES: Final[Mapping[int, ec.EllipticCurve]] = {256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()}
_EXTENDED: Final = {
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}


def parse_duration(text: str) -> float:
    """Seconds of a duration in Go's words: `2160h0m0s`."""
    found = re.findall(r"([0-9.]+)(h|ms|m|s)", text)
    if not found or "".join(number + unit for number, unit in found) != text:
        raise ValueError(f"{text!r} is no duration; write one such as 2160h")
    return float(sum(float(number) * _UNITS[unit] for number, unit in found))


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a Certificate asks for."""

    common_name: str
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]
    is_ca: bool
    usages: tuple[str, ...]
    duration_seconds: float
    renew_before_seconds: float
    algorithm: str
    size: int
    encoding: str
    keeps_key: bool

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> "Order":
        """The order in a Certificate's spec, with cert-manager's defaults."""
        key = spec.get("privateKey") or {}
        duration = parse_duration(spec["duration"]) if spec.get("duration") else DEFAULT_DURATION_SECONDS
        algorithm = key.get("algorithm", "RSA")
        return cls(
            common_name=spec.get("commonName", ""),
            dns_names=tuple(spec.get("dnsNames") or ()),
            ip_addresses=tuple(spec.get("ipAddresses") or ()),
            is_ca=bool(spec.get("isCA")),
            usages=tuple(spec.get("usages") or DEFAULT_USAGES),
            duration_seconds=duration,
            renew_before_seconds=parse_duration(spec["renewBefore"]) if spec.get("renewBefore") else duration / 3,
            algorithm=algorithm,
            size=int(key.get("size") or (2048 if algorithm == "RSA" else 256)),
            encoding=key.get("encoding", "PKCS1"),
            keeps_key=key.get("rotationPolicy") == "Never",
        )


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Whoever signs: certificate and key of an authority."""

    certificate: x509.Certificate
    key: Key


def new_key(order: Order) -> Key:
    """A private key as asked for."""
    if order.algorithm == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=order.size)
    if order.algorithm == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(_CURVES[order.size])


def fits(order: Order, key: Key) -> bool:
    """Whether a key is of the kind that is asked for."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return order.algorithm == "Ed25519"
    return order.algorithm == ("RSA" if isinstance(key, rsa.RSAPrivateKey) else "ECDSA") and key.key_size == order.size


def read_key(pem: str) -> Key:
    """A private key from its Secret.

    Raises: ValueError when it is none that cert-manager makes.
    """
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except TypeError as error:
        # It has a password.
        raise ValueError(str(error)) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise ValueError("the key is of no kind that cert-manager makes")
    return key


def read_pair(data: Mapping[str, str]) -> tuple[x509.Certificate, Key]:
    """Certificate and key of a Secret's `data`, where both are there.

    Raises: ValueError that says what the Secret holds instead.
    """
    try:
        certificate, key = x509.load_pem_x509_certificate(data["tls.crt"].encode()), read_key(data["tls.key"])
    except ValueError as error:
        raise ValueError(f"Secret contains invalid data: {error}") from None
    if key.public_key() != certificate.public_key():
        raise ValueError("Secret contains a private key that does not match the certificate")
    return certificate, key


def kept_key(order: Order, data: Mapping[str, str]) -> Key | None:
    """The key of a Secret's `data` that its next certificate is for too; None where there is none that may stay."""
    if not order.keeps_key or not data.get("tls.key"):
        return None
    try:
        key = read_key(data["tls.key"])
    except ValueError:
        return None
    return key if fits(order, key) else None


def written_key(order: Order, key: Key) -> str:
    """The key as its Secret holds it."""
    traditional = order.encoding == "PKCS1" and not isinstance(key, ed25519.Ed25519PrivateKey)
    form = serialization.PrivateFormat.TraditionalOpenSSL if traditional else serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def signed(order: Order, key: Key, signer: Signer | None, now: datetime.datetime) -> x509.Certificate:
    """A certificate for `key`; without a signer it vouches for itself."""
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in order.dns_names]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in order.ip_addresses]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, order.common_name)] if order.common_name else [])
    issuer_key = key if signer is None else signer.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if signer is None else signer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(seconds=order.duration_seconds))
        .add_extension(x509.BasicConstraints(ca=order.is_ca, path_length=None), critical=True)
        .add_extension(_key_usage(order), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not order.common_name)
    if extended := [_EXTENDED[usage] for usage in order.usages if usage in _EXTENDED]:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    return builder.sign(issuer_key, None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def _key_usage(order: Order) -> x509.KeyUsage:
    asked = order.usages
    return x509.KeyUsage(
        digital_signature="digital signature" in asked or "signing" in asked,
        content_commitment="content commitment" in asked,
        key_encipherment="key encipherment" in asked,
        data_encipherment="data encipherment" in asked,
        key_agreement="key agreement" in asked,
        key_cert_sign="cert sign" in asked or order.is_ca,
        crl_sign="crl sign" in asked,
        encipher_only=False,
        decipher_only=False,
    )


def why_another(
    order: Order, data: Mapping[str, str], issuer: tuple[str, str], issued_by: tuple[str, str], now: datetime.datetime
) -> str | None:
    """Why another certificate has to be made; None while the one in the Secret's `data` serves.

    `issuer` is the kind and name of the one that is asked for, `issued_by` of the one that signed.
    """
    if not {"tls.crt", "tls.key"} <= data.keys():
        return "Issuing certificate as Secret does not exist, or holds no certificate with its key"
    try:
        certificate, key = read_pair(data)
    except ValueError as error:
        return f"Issuing certificate as {error}"
    if issuer != issued_by:
        return "Issuing certificate as Secret was previously issued by another issuer"
    if not fits(order, key) or _names(certificate) != {*order.dns_names, *order.ip_addresses}:
        return "Issuing certificate as existing one does not match the current spec"
    if now >= renewal_time(order, certificate):
        return "Renewing certificate as renewal was scheduled"
    return None


def renewal_time(order: Order, certificate: x509.Certificate) -> datetime.datetime:
    """When it is made anew."""
    return certificate.not_valid_after_utc - datetime.timedelta(seconds=order.renew_before_seconds)


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _names(certificate: x509.Certificate) -> set[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in extension.value}
