"""Published results of neural collaborative filtering, made again and set beside ours."""
