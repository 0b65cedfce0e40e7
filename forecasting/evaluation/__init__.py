"""What forecasts are worth: walk-forward, losses, tests, the verdict."""
