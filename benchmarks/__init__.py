"""Throughput against the limit of the machine, one file per question. `make bench` runs them all."""
