"""What a node does as one of a fleet: it beats, owns lanes, and follows what others commit."""
