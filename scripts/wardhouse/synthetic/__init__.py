"""What all samples and simulations share."""
