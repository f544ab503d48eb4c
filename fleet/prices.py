"""What things cost: one dated and sourced price for each, in USD without tax in us-east-1, and what other regions cost beside it.

The invariant: a price stands here once, with the day it was read and where. A price that could only be found second-hand says so
(`certain=False`), and everything that shows a total shows the date with it.
"""

from datetime import date, timedelta

from fleet.records import Record

CURRENCY = "USD"

HOURS_A_MONTH = 730
"""The month of AWS's own calculator: a twelfth of 8,760 hours."""

BASE_REGION = "us-east-1"

PRICES_STALE_AFTER = timedelta(days=365)
"""Older prices are still used, and said to be old."""

SPOT_DISCOUNT = 0.6
"""Spot below on-demand: 50 to 70 % is usual, it varies by zone and week (AWS says "up to 90 %")."""

KARPENTER = "Karpenter 1.14, zz_generated.pricing_aws.go"
INFRACOST = "Infracost's tests of its AWS prices"


class Price(Record, frozen=True, kw_only=True):
    """What one unit of something costs."""

    item: str
    usd: float
    unit: str
    """What the price is for: `hour`, `GB-month`, `GB`, `month`."""
    source: str
    date: str
    """Day (or month) of the source, ISO 8601."""
    certain: bool = True
    """False for a figure that was found second-hand alone."""

    @property
    def usd_a_month(self) -> float:
        """Of one that runs all month."""
        return self.usd * HOURS_A_MONTH if self.unit == "hour" else self.usd


def _ec2(name: str, usd: float) -> Price:
    return Price(item=name, usd=usd, unit="hour", source=KARPENTER, date="2026-07-20")


def _valkey(name: str, usd: float) -> Price:
    source = "Redis node price less the 20 % that Valkey is cheaper"
    return Price(item=f"valkey.{name}", usd=usd, unit="hour", source=source, date="2026-06-30", certain=False)


_TABLE = (
    _ec2("t4g.medium", 0.0336),
    _ec2("t4g.large", 0.0672),
    _ec2("t4g.xlarge", 0.1344),
    _ec2("c7g.large", 0.0725),
    _ec2("c7g.xlarge", 0.145),
    _ec2("c7g.2xlarge", 0.29),
    _ec2("c7g.4xlarge", 0.58),
    _ec2("m7g.large", 0.0816),
    _ec2("m7g.xlarge", 0.1632),
    _ec2("m7g.2xlarge", 0.3264),
    _ec2("m7g.4xlarge", 0.6528),
    _ec2("r7g.large", 0.1071),
    _ec2("r7g.xlarge", 0.2142),
    _ec2("r7g.2xlarge", 0.4284),
    _ec2("r7g.4xlarge", 0.8568),
    Price(item="t4g.nano", usd=0.0042, unit="hour", source="fck-nat, README", date="2026-05-01"),
    _valkey("t4g.micro", 0.0128),
    _valkey("t4g.small", 0.0256),
    _valkey("m7g.large", 0.1264),
    _valkey("r7g.large", 0.1752),
    Price(item="eks-control-plane", usd=0.10, unit="hour", source=INFRACOST, date="2025-07-01"),
    Price(item="nat-gateway", usd=0.045, unit="hour", source=INFRACOST, date="2024-07-01"),
    Price(item="nat-data", usd=0.045, unit="GB", source=INFRACOST, date="2024-07-01"),
    Price(item="interface-endpoint", usd=0.01, unit="hour", source=INFRACOST, date="2024-10-01"),
    Price(item="public-ipv4", usd=0.005, unit="hour", source="AWS, Amazon VPC pricing", date="2026-02-01"),
    Price(item="load-balancer", usd=0.0225, unit="hour", source=INFRACOST, date="2024-07-01"),
    Price(item="load-balancer-unit", usd=0.008, unit="hour", source=INFRACOST, date="2024-07-01"),
    Price(item="gp3", usd=0.08, unit="GB-month", source=INFRACOST, date="2024-07-01"),
    Price(item="gp3-iops", usd=0.005, unit="IOPS-month above 3000", source=INFRACOST, date="2024-07-01"),
    Price(
        item="snapshot", usd=0.05, unit="GB-month", source="AWS, Amazon EBS pricing", date="2024-07-01", certain=False
    ),
    Price(item="cross-zone-data", usd=0.02, unit="GB, both ways", source="AWS, EC2 data transfer", date="2026-02-01"),
    Price(item="logs", usd=0.50, unit="GB", source=INFRACOST, date="2024-07-01"),
    Price(item="kms-key", usd=1.0, unit="month", source=INFRACOST, date="2024-07-01"),
    Price(item="secret", usd=0.40, unit="month", source=INFRACOST, date="2024-07-01"),
    Price(item="ecr", usd=0.10, unit="GB-month", source=INFRACOST, date="2024-07-01"),
)

PRICES: dict[str, Price] = {price.item: price for price in _TABLE}
"""Item -> its price in us-east-1."""

PRICES_AS_OF = "2026-07-20"
"""Day of the newest source, that of the instances, which are most of every bill."""

REGION_FACTORS: dict[str, float] = {
    "us-east-1": 1.0,
    "us-east-2": 1.0,
    "us-west-2": 1.0,
    "eu-north-1": 1.05,
    "eu-west-1": 1.1,
    "eu-central-1": 1.15,
}
"""Region -> factor on every price: one for a whole region, an estimate (Europe is 5 to 15 % above us-east-1); `priceFactor` of `cloud` overrides it."""


def prices_are_stale(today: date) -> bool:
    """Whether the newest source is older than a year."""
    return today - date.fromisoformat(PRICES_AS_OF) > PRICES_STALE_AFTER
