"""What the notebooks, the tests and the verdict share."""
