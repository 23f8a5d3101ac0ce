"""Engagement: personas of patients and physicians, found, tested and explained."""
