"""Engagement: patients and physicians by what ties them to the clinic."""
