"""Stand-in for cert-manager 1.19: certificates signed by an authority in the cluster, kept in Secrets and renewed in time.

Responsible for: turning `cert-manager.io/v1` resources into the Secrets, annotations and conditions that cert-manager makes, on a
machine where its images cannot be had; and for the authority that the sandbox brings, `fleet-sandbox`.
Invariant: a private key stands in its Secret alone, and a certificate is never given for other names than were asked for.
Facts from: github.com/cert-manager/cert-manager v1.19.2.
"""

from typing import Final

DIFFERENCES: Final = (
    "issuers are `ca` and `selfSigned` alone; others are refused by the CustomResourceDefinitions",
    "a Certificate is signed at once, without a CertificateRequest",
    "the ClusterIssuer fleet-sandbox is there from the start, and the topology operator trusts it",
)
"""What a user of the real one would notice; printed at start-up."""

AUTHORITY: Final = "fleet-sandbox"
"""The ClusterIssuer that the sandbox brings."""
