"""Rules that every resource of a stack has to meet, and the Pulumi policy pack that asks them of what the engine is about to do."""
