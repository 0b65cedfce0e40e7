"""Settings every test and every notebook kernel inherits."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# The suite is about the frozen histories, whatever a user has scraped.
os.environ["FORECASTING_DATA"] = str(ROOT / "data" / "snapshot")
