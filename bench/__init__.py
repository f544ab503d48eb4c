"""Measurements that print their figures and keep them in `bench/results/`; none of them is a test."""
