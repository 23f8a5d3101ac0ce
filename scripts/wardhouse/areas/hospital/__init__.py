"""The hospital: sample and fits."""
