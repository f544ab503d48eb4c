"""What a fleet that runs says of itself, held against what the catalogue says of it.

`prometheus` and `scrapes` read, `histograms` turns counts into means and percentiles, `judging` says what differs enough to matter, `proposing` writes it
into the catalogue, `consequences` says what follows.
"""
