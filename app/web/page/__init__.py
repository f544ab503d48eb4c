"""The page at `/fleet`: whether each promise is kept, and why not."""
