# make run and make test set everything up by themselves; all they need is Python 3.11 or newer. `make` alone lists more.
# Kept to what make 3.81 and BSD tools understand, which is what macOS ships.

PROFILE ?= quick
LESSONS ?=
ARGS ?=
BENCH ?= mining

# The first Python that is new enough and can make virtual environments; looked for only when one has to be made.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)

# Where PyTorch comes from. On Linux PyPI's build brings gigabytes of CUDA along, so a machine without an NVIDIA GPU gets
# the build for processors; `make run TORCH_INDEX=` takes PyPI's, and any index of https://pytorch.org/get-started serves.
TORCH_INDEX ?= $(shell test "$$(uname -s)" = Linux && ! nvidia-smi >/dev/null 2>&1 && echo https://download.pytorch.org/whl/cpu)

# The marks carry the folder's checksum in their name, so that a checkout that was moved is set up again.
HERE := $(shell pwd -P | cksum | cut -d ' ' -f 1)
READY := .venv/ready-$(HERE)
READY_BENCH := .venv/ready-bench-$(HERE)

# uv installs the same versions as pip in less time; it is used where it is there, and `make setup UV=` takes pip. PyTorch
# always comes by pip, which knows more of indexes; uv keeps it.
UV ?= $(shell command -v uv 2>/dev/null)
PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
UV_PIP := "$(UV)" pip install --quiet --python .venv/bin/python --compile-bytecode -c constraints.txt
USUALLY := $(if $(UV),one to three,two to six) minutes
INSTALL := $(if $(UV),$(UV_PIP),$(PIP))

# Tests go to as many processes as there are cores, file by file and notebooks first, since these take longest.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 .venv/bin/python -m pytest \
	-n auto --dist loadfile --no-loadscope-reorder

.PHONY: help setup run test lab notebooks weights bench clean

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## install everything; all others do that by themselves

run: $(READY) ## run all lessons and write the report (LESSONS="01" PROFILE=full narrow or widen it)
	.venv/bin/llmarm run $(LESSONS) --profile $(PROFILE) $(ARGS)

test: $(READY) ## run every test, every notebook among them (ARGS="-k apriori" picks some)
	LLMARM_CHECK_STRICT=1 LLMARM_ATTEMPTS=/dev/null $(PYTEST) --nbval-lax --nbval-cell-timeout=300 notebooks/*.ipynb tests $(ARGS)

lab: $(READY) ## open your own copies of lessons and exercises, in my/, in JupyterLab
	.venv/bin/python -m llmarm_tutorial lab $(ARGS)

notebooks: $(READY) ## run notebooks/source, store notebooks, reference results and tables (LESSONS="01" for one)
	.venv/bin/python tools/editions.py build $(LESSONS) $(ARGS)
	.venv/bin/python tools/results_tables.py
	.venv/bin/python tools/editions.py build 00 $(ARGS)

weights: $(READY) ## train what data/weights lacks: the models that lessons open (ARGS="--only gaps" for one)
	OMP_NUM_THREADS=1 .venv/bin/python -m llmarm_tutorial data weights $(ARGS)

bench: $(READY_BENCH) ## compare time and memory with other libraries (BENCH=training takes the models)
	.venv/bin/python benchmarks/$(BENCH).py $(ARGS)

clean: ## remove the virtual environment, caches and runs
	rm -rf .venv runs build *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# `make` fills in the whole recipe before it runs the first line: $(shell date +%s) is when the set-up began.
$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "llmarm needs Python 3.11 or newer with venv: install it from https://www.python.org" \
		"(Debian, Ubuntu: apt install python3-venv), or name yours: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Setting up .venv with $(PYTHON) and $(if $(UV),uv,pip), only this once; usually $(USUALLY) …"
	@.venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || "$(PYTHON)" -m venv --clear .venv
	@index="$(TORCH_INDEX)"; test -z "$$index" || \
		$(PIP) --retries 2 --timeout 10 --no-deps --index-url "$$index" torch 2>/dev/null || \
		echo "No PyTorch for this Python from $$index: the one of PyPI is taken, on Linux gigabytes larger." >&2
	@$(INSTALL) -e '.[lab,test,models]'$(if $(UV), || { echo "uv could not install everything: see above. pip has its own" \
		"settings and may succeed: make setup UV=" >&2; exit 1; })
	@echo "Set up in $$(( $$(date +%s) - $(shell date +%s) )) s."
	@touch $@

$(READY_BENCH): $(READY)
	@$(INSTALL) -e '.[bench]'
	@touch $@
