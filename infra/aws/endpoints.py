"""Ways from a VPC to AWS that do not lead through the internet.

S3 has one always: it is free, and the layers of every image come from there. Endpoints of other services cost as much as they save only above some
600 GB a month in three zones, so they are made where nothing else leads out. Sources: VPC user guide, "Gateway endpoints for Amazon S3"; EKS user
guide, "Deploy private clusters with limited internet access" (the services); Karpenter 1.14, "Getting started", private clusters (`ssm`, `sqs`).
"""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from fleet.cloud import PRIVATE_SERVICES
from infra.aws.place import Place

HTTPS = 443


def create_s3_endpoint(
    name: str,
    place: Place,
    vpc_id: pulumi.Input[str],
    route_tables: Sequence[aws.ec2.RouteTable],
    *,
    parent: pulumi.Resource,
) -> aws.ec2.VpcEndpoint:
    """A route to S3 in each of these tables."""
    return aws.ec2.VpcEndpoint(
        name,
        vpc_id=vpc_id,
        vpc_endpoint_type="Gateway",
        service_name=f"com.amazonaws.{place.region}.s3",
        route_table_ids=[table.id for table in route_tables],
        tags=place.tagged(f"{place.name}-s3"),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def create_private_endpoints(
    name: str,
    place: Place,
    vpc_id: pulumi.Input[str],
    cidr: str,
    subnets: Sequence[aws.ec2.Subnet],
    *,
    parent: pulumi.Resource,
) -> None:
    """An interface in each of these subnets for every service, under the service's own name."""
    child, tags = pulumi.ResourceOptions(parent=parent), place.tagged(f"{place.name}-endpoints")
    group = aws.ec2.SecurityGroup(
        f"{name}-security-group", description="VPC endpoints: HTTPS from the VPC", vpc_id=vpc_id, tags=tags, opts=child
    )
    aws.vpc.SecurityGroupIngressRule(
        f"{name}-from-vpc",
        description="HTTPS from the VPC",
        security_group_id=group.id,
        cidr_ipv4=cidr,
        ip_protocol="tcp",
        from_port=HTTPS,
        to_port=HTTPS,
        tags=tags,
        opts=child,
    )
    for service in PRIVATE_SERVICES:
        aws.ec2.VpcEndpoint(
            f"{name}-{service.replace('.', '-')}",
            vpc_id=vpc_id,
            vpc_endpoint_type="Interface",
            service_name=f"com.amazonaws.{place.region}.{service}",
            subnet_ids=[subnet.id for subnet in subnets],
            security_group_ids=[group.id],
            private_dns_enabled=True,
            tags=place.tagged(f"{place.name}-{service}"),
            opts=child,
        )
