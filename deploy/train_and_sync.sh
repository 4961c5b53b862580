#!/usr/bin/env bash
# Trains with the run kept in a bucket, so that the machine may be taken away at any moment, as a Spot VM is:
#
#     PYTHON=.venv/bin/python deploy/train_and_sync.sh gs://BUCKET/runs/NAME runs/NAME --model=LstmModel ...
#
# train.py --train_dir=gs://BUCKET/runs/NAME keeps a run there without this script, but waits for each upload, ends when
# the bucket cannot be reached, and takes the credentials that TensorFlow finds in place of gcloud's (docs/training.md).
#
# First argument: where the run is kept, gs://... or a folder (a mounted bucket, another disk). Second: the run
# directory on this machine. The rest goes to train.py, as it is. PYTHON is the interpreter, python where it is not set.
#
# The run is copied down, train.py started, and the run copied up whenever a checkpoint has been written. SIGTERM and
# Ctrl-C are passed on to train.py, which saves; then the run is copied up a last time. The exit status is train.py's.
# The same command, on this machine or a new one, goes on from there. One machine at a time may keep a run.
#
# A copy may be cut at any file, so the order is one in which every beginning is a run that goes on:
#   1. the settings (config.json and its like): without them checkpoints are no run; alone they do no harm;
#   2. checkpoints, each whole or not at all, and none is replaced or removed before step 4;
#   3. what names checkpoints (best.json, validated.json), the metrics and the logs;
#   4. last, the bucket's checkpoints that the run has dropped are removed.
# What is copied is a snapshot, beside the run directory, in which checkpoints are hard links: train.py may go on and
# drop them meanwhile. Names that begin with a dot, such as .partial-..., are not a part of a run and are left out.
set -eu

if [ $# -lt 2 ]; then
    echo "error: usage: $0 gs://BUCKET/RUN|FOLDER TRAIN_DIR [--flag=value ...]" >&2
    exit 2
fi
bucket=${1%/} train_dir=${2%/}
shift 2
for argument; do
    case $argument in
        --start_new_model | --start_new_model=* | --train_dir | --train_dir=*)
            echo "error: $argument: the same command has to go on with the run. Name another run in its place." >&2
            exit 2
            ;;
    esac
done
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
snapshot=$(dirname "$train_dir")/.partial-sync-$(basename "$train_dir")
status_file=kept_by.txt # in the bucket alone

# A folder in the bucket's place.

put() { # copies a file: whole or not at all
    local beside
    beside=$(dirname "$2")/.partial-$(basename "$2")
    mkdir -p "$(dirname "$2")" && cp -p "$1" "$beside" && mv -f "$beside" "$2"
}

# mirror FROM TO newer|other [TEST ...]: copies the files that are newer, or of another time, and pass find's tests.
mirror() {
    local from=$1 to=$2 which=$3 file
    shift 3
    while IFS= read -r -d '' file; do
        # cp -p keeps the time; the first is true as well where there is no second
        if [ "$from/$file" -nt "$to/$file" ] || { [ "$which" = other ] && [ "$from/$file" -ot "$to/$file" ]; }; then
            put "$from/$file" "$to/$file" || return 1
        fi
    done < <(cd "$from" && find . -type f ! -name '.*' ! -name "$status_file" "$@" -print0)
}

remove_dropped() {
    local file
    for file in "$bucket"/checkpoints/step-*.npz; do
        [ -e "$snapshot/checkpoints/$(basename "$file")" ] || rm -f "$file" || return 1
    done
}

# A bucket, in which an object appears whole, or the folder.

case $bucket in
    gs://*)
        tell() { echo "$1" | gcloud storage cp - "$bucket/$status_file"; }
        copy_down() {
            gcloud storage rsync --recursive --skip-if-dest-has-newer-mtime --exclude=".*$status_file\$" \
                "$bucket" "$train_dir"
        }
        copy_up() {
            gcloud storage rsync "$snapshot" "$bucket" &&
                gcloud storage rsync --exclude='.*\.json$' "$snapshot/checkpoints" "$bucket/checkpoints" &&
                gcloud storage rsync --recursive "$snapshot" "$bucket" &&
                gcloud storage rsync --delete-unmatched-destination-objects \
                    "$snapshot/checkpoints" "$bucket/checkpoints"
        }
        ;;
    *)
        tell() { mkdir -p "$bucket" && echo "$1" >"$bucket/$status_file"; }
        copy_down() { mirror "$bucket" "$train_dir" newer; }
        copy_up() {
            mirror "$snapshot" "$bucket" other ! -path './*/*' &&
                mirror "$snapshot" "$bucket" other -name 'step-*.npz' &&
                mirror "$snapshot" "$bucket" other &&
                remove_dropped
        }
        ;;
esac

link_or_copy() { # takes find's tests
    local file
    while IFS= read -r -d '' file; do
        mkdir -p "$snapshot/$(dirname "$file")" || return 1
        case $file in
            */step-*.npz) ln "$train_dir/$file" "$snapshot/$file" 2>/dev/null ;;
            *) false ;; # others change, or grow while they are copied
        esac || cp -p "$train_dir/$file" "$snapshot/$file" 2>/dev/null || [ ! -e "$train_dir/$file" ] || return 1
    done < <(cd "$train_dir" && find . -type f ! -name '.*' "$@" -print0)
}

checkpoints() { # and what names them
    find "$train_dir/checkpoints" -type f ! -name '.*' -printf '%f %s %T@\n' 2>/dev/null | sort
}

take_snapshot() {
    local before
    # Taken again where a checkpoint came or went meanwhile, but not for ever. What names checkpoints comes first: it
    # may then name one that has gone, and the last is taken for the best, but never one that is yet to come.
    for _ in 1 2 3; do
        before=$(checkpoints)
        rm -rf "$snapshot" && link_or_copy ! -name 'step-*.npz' && link_or_copy -name 'step-*.npz' || return 1
        if [ "$before" = "$(checkpoints)" ]; then
            break
        fi
    done
}

upload() { # errexit is off in here and in what it calls, since its status is asked for
    compgen -G "$train_dir/checkpoints/step-*.npz" >/dev/null || return 0
    if take_snapshot && copy_up; then
        rm -rf "$snapshot"
    else
        echo "warning: the run could not be copied to $bucket; it will be tried again." >&2
        return 1
    fi
}

keep_copied() { # as long as the process $1 lives
    trap '' HUP INT TERM
    local before='' now
    while kill -0 "$1" 2>/dev/null; do
        now=$(checkpoints)
        if [ "$now" != "$before" ] && upload; then
            before=$now
        fi
        sleep 1
    done
}

stopped='' train=''
trap 'stopped=1; [ -z "$train" ] || kill -TERM "$train" 2>/dev/null || true' HUP INT TERM

if ! tell "running on $(uname -n) since $(date -u +%FT%TZ)"; then
    echo "error: $bucket cannot be written: make it, or give this machine the right to." >&2
    exit 2
fi
mkdir -p "$train_dir"
copy_down # an error ends this script: with half a run nothing is begun

if [ -n "$stopped" ]; then
    exit 143
fi
# In a session of its own, or Ctrl-C would reach it twice, and the second time it stops without saving.
setsid "${PYTHON:-python}" "$root/train.py" "$@" --train_dir="$train_dir" &
train=$!
keep_copied "$train" &
copier=$!
while true; do # a signal ends `wait`, and not train.py
    status=0
    wait "$train" || status=$?
    kill -0 "$train" 2>/dev/null || break
done
wait "$copier" || true

if ! upload && ! upload && ! upload; then
    echo "error: the run is in $train_dir, and not in $bucket." >&2
    status=$((status ? status : 1))
fi
tell "ended with status $status on $(uname -n) at $(date -u +%FT%TZ)" || true
exit "$status"
