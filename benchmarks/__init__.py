"""What `make bench` runs: our speed, beside reference implementations and other libraries."""
