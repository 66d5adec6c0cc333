"""Judges of the simulated exchange that its authors did not write.

Run by ``scripts/conformance.sh``. The specifications, the recordings and the
foreign clients are fetched or found, never kept here. What is not there is a
SKIPPED row, never a pass.
"""
