"""How many stocks does a memory need? The experiment of results/pool."""
