"""How nodes reach the internet: by managed gateways, or by one small instance of one's own.

Invariant: for each zone there is one way out or none, and it is there before a node can ask for it. The instance is for environments that may be
without a way out for the minutes in which it is replaced: it costs a tenth of a gateway and carries 32 Mbit/s for long. Its address and its
interface outlive it, so routes do not change.
Sources: VPC user guide, "NAT gateways" and "NAT instances" (source and destination check off; the rules here are the guide's, in nftables); AL2023
user guide, "Launching AL2023 using the SSM parameter"; EC2 user guide, "Configure the Instance Metadata Service options".
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.place import Place

INSTANCE_TYPE = "t4g.nano"
IMAGE_PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
DISK_GIB = 8


@dataclass(frozen=True, kw_only=True)
class WayOut:
    """What a default route leads to; one of the two."""

    gateway_id: pulumi.Output[str] | None = None
    interface_id: pulumi.Output[str] | None = None


def nat_gateway(
    name: str, place: Place, subnet_id: pulumi.Input[str], *, parent: pulumi.Resource, after: list[pulumi.Resource]
) -> WayOut:
    """A managed gateway in a public subnet. `after`: what leads to the internet from there."""
    address = _address(name, place, parent=parent, after=after)
    gateway = aws.ec2.NatGateway(
        name,
        allocation_id=address.id,
        subnet_id=subnet_id,
        tags=place.tagged(f"{place.name}-nat"),
        opts=pulumi.ResourceOptions(parent=parent, depends_on=after),
    )
    return WayOut(gateway_id=gateway.id)


def _address(
    name: str,
    place: Place,
    *,
    parent: pulumi.Resource,
    after: list[pulumi.Resource],
    interface_id: pulumi.Input[str] | None = None,
) -> aws.ec2.Eip:
    return aws.ec2.Eip(
        f"{name}-address",
        domain="vpc",
        network_interface=interface_id,
        tags=place.tagged(f"{place.name}-nat"),
        opts=pulumi.ResourceOptions(parent=parent, depends_on=after),
    )


def nat_user_data(cidr: str) -> str:
    """The script that makes an Amazon Linux 2023 instance translate the addresses of a network, also after a restart."""
    return f"""\
#!/bin/bash
set -euo pipefail
until dnf install --assumeyes nftables; do sleep 10; done
echo 'net.ipv4.ip_forward = 1' > /etc/sysctl.d/90-nat.conf
sysctl --load /etc/sysctl.d/90-nat.conf
cat > /etc/nftables/nat.nft <<'RULES'
table ip nat {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {cidr} ip daddr != {cidr} masquerade
  }}
}}
RULES
echo 'include "/etc/nftables/nat.nft"' >> /etc/sysconfig/nftables.conf
systemctl enable --now nftables
"""


def nat_instance(
    name: str,
    place: Place,
    vpc_id: pulumi.Input[str],
    subnet_id: pulumi.Input[str],
    cidr: str,
    *,
    parent: pulumi.Resource,
    after: list[pulumi.Resource],
) -> WayOut:
    """An instance in a public subnet. `after`: what leads to the internet from there."""
    child, tags = pulumi.ResourceOptions(parent=parent), place.tagged(f"{place.name}-nat")
    group = aws.ec2.SecurityGroup(
        f"{name}-security-group",
        description="NAT instance: everything from the VPC, to anywhere",
        vpc_id=vpc_id,
        tags=tags,
        opts=child,
    )
    incoming = aws.vpc.SecurityGroupIngressRule(
        f"{name}-from-vpc",
        description="What leaves the VPC",
        security_group_id=group.id,
        cidr_ipv4=cidr,
        ip_protocol="-1",
        tags=tags,
        opts=child,
    )
    outgoing = aws.vpc.SecurityGroupEgressRule(
        f"{name}-to-anywhere",
        description="To wherever it is sent",
        security_group_id=group.id,
        cidr_ipv4="0.0.0.0/0",
        ip_protocol="-1",
        tags=tags,
        opts=child,
    )
    interface = aws.ec2.NetworkInterface(
        f"{name}-interface",
        subnet_id=subnet_id,
        security_groups=[group.id],
        source_dest_check=False,
        tags=tags,
        opts=child,
    )
    address = _address(name, place, parent=parent, after=after, interface_id=interface.id)
    image = aws.ssm.get_parameter_output(name=IMAGE_PARAMETER, opts=pulumi.InvokeOutputOptions(parent=parent))
    aws.ec2.Instance(
        name,
        ami=image.value,
        instance_type=INSTANCE_TYPE,
        ebs_optimized=True,
        primary_network_interface=aws.ec2.InstancePrimaryNetworkInterfaceArgs(network_interface_id=interface.id),
        metadata_options=aws.ec2.InstanceMetadataOptionsArgs(
            http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
        ),
        root_block_device=aws.ec2.InstanceRootBlockDeviceArgs(
            volume_type="gp3", volume_size=DISK_GIB, encrypted=True, tags=tags
        ),
        user_data=nat_user_data(cidr),
        user_data_replace_on_change=True,
        tags=tags,
        opts=pulumi.ResourceOptions(
            parent=parent,
            # Its script fetches a package: the way to the internet has to be there first.
            depends_on=[*after, address, incoming, outgoing],
            # The interface can be in one instance at a time.
            delete_before_replace=True,
            # A new image appears every few weeks; replacing the only way out for it is a decision (`pulumi up --replace`).
            ignore_changes=["ami"],
        ),
    )
    return WayOut(interface_id=interface.id)
