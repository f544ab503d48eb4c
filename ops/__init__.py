"""What `make` runs around `pulumi`: start, demonstrate, look, stop.

Nothing here knows how the fleet is deployed: the plan comes from `fleet`, everything else is reached through the `pulumi` and `kubectl`
executables, the sandbox's command line, and HTTP. It works alike on the sandbox and on a cluster of the user's own.
"""
