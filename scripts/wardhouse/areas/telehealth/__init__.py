"""Telehealth: sample, simulation and fits."""
