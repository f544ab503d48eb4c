"""The stand-in for the AWS plugin: inputs checked, answers in AWS's shapes, nothing made anywhere."""
