"""The tasks of the sample application, one module a queue; put your own here or name another application in `queues.yaml`."""
