"""What the differences from the paper's numbers come from, one cause at a time."""
