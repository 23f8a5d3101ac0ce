"""Engagement: personas of patients and physicians."""
