"""Stand-in for the RabbitMQ cluster operator 2.21.1 and the messaging topology operator 1.20.1.

Responsible for: turning `rabbitmq.com/v1beta1` resources into the objects and broker state that the real operators
make, with the same names, Secrets, conditions and refusals, on a machine where their images cannot be had.
Invariant: a program that works against this stand-in works against the real operators. Where the two have to differ,
`DIFFERENCES` says so in one line each, and the process prints them when it starts.
Facts from: github.com/rabbitmq/cluster-operator v2.21.1 and github.com/rabbitmq/messaging-topology-operator v1.20.1.
"""

from typing import Final

DIFFERENCES: Final = (
    "delayStartSeconds defaults to 0 instead of 30: broker pods start at once",
    "what the admission webhooks refuse is refused by validation rules in the CustomResourceDefinitions (422, not 403)",
    "secretBackend (Vault, external Secrets) is refused",
    "the topology operator trusts each ca.crt in the namespace rabbitmq-system, as if it were mounted into its pod",
)
"""What a user of the real operators would notice; printed at start-up."""
