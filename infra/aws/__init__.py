"""What a fleet stands on in AWS: network, cluster, nodes, identities, registry, results store, ways in."""
