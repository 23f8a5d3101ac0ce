"""Patient flow: sample and simulation."""
