"""Other libraries on the same interactions, each in a virtual environment of its own."""
