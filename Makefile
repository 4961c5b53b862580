# make demo · make test · make test-all · make bench, each in an environment of its own, made when there is none.
# PROFILE=io chooses the environment with tensorflow-io, jax the one with JAX, tpu TensorFlow for TPU (see BUILD.md).

PROFILE ?= default
PYTHON ?= python3
VENV := $(if $(filter default,$(PROFILE)),.venv,.venv-$(PROFILE))
READY := $(VENV)/.ready
RUN := $(VENV)/bin/python
WORKERS := -n 2 --dist=worksteal

.PHONY: help env demo test test-all test-jax test-beam lint bench bench-models quality tpu-check clean

help:
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

env: $(READY)  ## make the environment (.venv) from requirements/

$(READY): requirements/$(PROFILE).txt requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements/$(PROFILE).txt -r requirements/dev.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: env  ## train, evaluate and predict on the built-in sample, and tag sounds
	$(RUN) train.py --frame_features --model=LstmModel --lstm_cells=256 --num_epochs=15 --validation_percent=10 \
	    --train_dir=runs/demo --start_new_model
	$(RUN) eval.py --train_dir=runs/demo
	$(RUN) inference.py --train_dir=runs/demo --output_file=runs/demo/predictions.csv --top_k=3 --label_names
	@echo; head -n 6 runs/demo/predictions.csv
	@echo; echo "Three sounds that it was not trained on, and what it hears in them:"
	$(RUN) -m yt8m_audio sample --sounds=runs/demo/sounds --clips=3
	@echo
	$(RUN) -m yt8m_audio tag runs/demo/sounds/*.wav --train_dir=runs/demo --top_k=3 --picture=runs/demo/pictures
	@echo; echo "Next, on AudioSet's records (README.md says where they are):"
	@echo "  $(RUN) train.py --train_data_pattern='bal_train/*.tfrecord' --frame_features --model=LstmModel --validation_percent=10"

test: env  ## the tests
	$(RUN) -m pytest $(WORKERS)

test-all: env  ## the tests, slow ones too
	$(RUN) -m pytest -m '' $(WORKERS)

test-jax:  ## the models, VGGish and its front end under Keras' JAX backend, in profile jax
	$(MAKE) --no-print-directory env PROFILE=jax
	.venv-jax/bin/python -m pytest tests/test_jax_backend.py tests/test_audio_jax.py

test-beam:  ## Beam's pipelines, in profile beam
	$(MAKE) --no-print-directory env PROFILE=beam
	.venv-beam/bin/python -m pytest tests/test_beam.py

lint: env  ## ruff
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

bench: env  ## throughput against the machine's limits; BENCH_JSON=FILE writes it too
	$(RUN) -m benchmarks

bench-models: env  ## each model's training and inference against the matrix product; writes docs/models.md's table
	$(RUN) -m benchmarks.models

quality: env  ## train every model on bal_train by one recipe (an hour or two); writes docs/models.md's table
	$(RUN) -m benchmarks.quality

tpu-check:  ## lower and compile every model's training step for TPU, without one; writes BUILD.md's table
	$(MAKE) --no-print-directory env PROFILE=tpu
	$(MAKE) --no-print-directory env PROFILE=jax
	.venv-jax/bin/python -m benchmarks.tpu_check .venv-tpu/bin/python

clean:  ## remove the environments
	rm -rf .venv .venv-*
