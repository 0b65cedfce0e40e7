"""Popular recipes for LSTMs on stock prices, replayed."""
