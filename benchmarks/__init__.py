"""Measurements on this machine: always against a floor in the same run, never as a test."""
