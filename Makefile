# Everything a reader types. Each target sets itself up in .venv first.
# (Windows: README.md has the plain commands behind each target.)
PYTHON ?= python3
TICKER ?= AAPL
export TICKER # a recipe that spelt it out would run what it says
BIN := .venv/bin

.PHONY: study forecast test book robust verdict pool bench clean

# Read the chosen stock: EDA.ipynb and predictor.ipynb → results/TICKER/
# (FRESH=1 downloads it and its peers first)
study: .venv/ready
	@$(BIN)/python -m forecasting.study "$$TICKER" $(if $(filter-out 0,$(FRESH)),--fresh)

# The next 20 sessions from the newest prices: results/forecasts/TICKER/
forecast: .venv/ready
	@$(BIN)/python -m forecasting.forecast "$$TICKER"

# Prove it all again: lint, unit tests, every notebook re-executed
test: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pytest -n 3 --dist loadscope --no-loadscope-reorder

# The study as a site, nothing executed: site/index.html
book: .venv/ready
	$(BIN)/python book/build.py site

# Do the claims hold in another draw? Two hours: tests/README.md
robust: .venv/ready
	$(BIN)/python tests/robust.py

# Refresh the committed table: results/verdict.csv
verdict: .venv/ready
	$(BIN)/python -m forecasting --data data/snapshot \
	  --out results/verdict.csv

# How many stocks does a memory need? DATA=, DEV=: folders of CSVs
# (results/pool/README.md; hours; continues where it was stopped)
pool: .venv/ready
	$(BIN)/python -m forecasting.pool --data "$(DATA)" --dev "$(DEV)"

# Measure speed, growth and skill beside peers: tests/bench/README.md
bench: .venv/ready .venv-bench/ready
	$(BIN)/python tests/bench/bench.py .venv-bench/bin/python

# Remove the environment, the caches, the site, every study and kept fit; data/ stays
clean:
	rm -rf .venv .venv-bench site *.egg-info .pytest_cache .ruff_cache .hypothesis
	rm -rf results/pool/parts
	find results -mindepth 1 -maxdepth 1 ! -name 'verdict*' ! -name README.md \
	  ! -name recipes.csv ! -name pool -exec rm -rf {} +

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	@touch $@

.venv-bench/ready: tests/bench/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --requirement $<
	@touch $@
