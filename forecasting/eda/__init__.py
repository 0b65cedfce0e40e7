"""What a history is like: the statistics and answers of EDA.ipynb."""
