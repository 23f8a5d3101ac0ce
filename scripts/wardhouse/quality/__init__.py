"""Alerts, insights and quarantine."""
