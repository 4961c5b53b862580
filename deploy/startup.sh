#!/usr/bin/env bash
# Start-up script of a TPU VM that may be preempted: makes the environment and trains, or goes on. docs/cloud.md shows
# how it is given to a machine, with three attributes beside it:
#
#     bucket   gs://..., which holds yt8m-audio.tar.gz (the repository) and data/ (records), and is to hold runs/
#     run      name of the run: it is kept in BUCKET/runs/RUN
#     flags    train.py's flags, one a line
#
# Not run: it needs a TPU VM. What it starts, train_and_sync.sh, is (tests/test_deploy.py).
set -eu
export HOME=/root PATH="$PATH:/snap/bin" # a start-up script has neither; gcloud is there on some images

attribute() {
    curl -sSf -H 'Metadata-Flavor: Google' "http://metadata.google.internal/computeMetadata/v1/instance/attributes/$1"
}
bucket=$(attribute bucket)
run=$(attribute run)

# Ubuntu 22.04's own python3.11 is a release candidate.
add-apt-repository -y ppa:deadsnakes/ppa
apt-get install -y make python3.11 python3.11-venv

mkdir -p /opt/yt8m-audio
cd /opt/yt8m-audio
gcloud storage cp "$bucket/yt8m-audio.tar.gz" - | tar xz --strip-components=1
PYTHON=python3.11 make env PROFILE=tpu
mkdir -p data
gcloud storage rsync --recursive "$bucket/data" data
attribute flags >run.flags

# A unit of its own, which at shutdown is stopped while the network is still there, and of which train_and_sync.sh alone
# gets SIGTERM. `journalctl -fu yt8m-audio` shows what it says.
# shellcheck disable=SC2016  # $@ is of the shell within
systemd-run --unit=yt8m-audio --working-directory="$PWD" \
    --property=After=network-online.target --property=KillMode=mixed --property=TimeoutStopSec=30 \
    --setenv=HOME="$HOME" --setenv=PATH="$PATH" --setenv=PYTHON=.venv-tpu/bin/python \
    bash -c '. deploy/tpu_env.sh && exec deploy/train_and_sync.sh "$@"' bash \
    "$bucket/runs/$run" "runs/$run" --flagfile=run.flags
