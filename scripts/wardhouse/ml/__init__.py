"""What all fits share."""
