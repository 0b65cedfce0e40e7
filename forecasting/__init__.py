"""What the notebooks, the tests and the verdict share."""

import os

# TensorFlow reads this when it is first imported: without it, its start-up
# messages would stand in every notebook.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
