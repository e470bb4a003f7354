#!/bin/sh
# Writes the locks anew: every package with its exact version and the hashes of all its files,
# for every platform and Python from 3.11, and no address of any registry.
#   sh requirements/lock.sh UV [--upgrade]
# `uv` resolves in a scratch folder, because its own lock file names registries. The project
# depends on itself in its groups, so it is resolved as a project, never looked up by name.
set -eu
uv=$(realpath "$1")
shift
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/sentinel"
cp "$root/pyproject.toml" "$root/README.md" "$scratch/"
cp "$root/sentinel/__init__.py" "$scratch/sentinel/"

title() {
    printf '# Made by `make lock`; do not edit. %s\n' "$1"
}
export_lock() {
    (cd "$scratch" && "$uv" export --quiet --frozen --no-emit-project --no-header --all-extras \
        --format requirements-txt --no-default-groups "$@")
}

"$uv" lock --quiet --project "$scratch" "$@"
{ title "What sentinel needs to be built and run, with its extras."; export_lock --group build; } >"$scratch/runtime.txt"
{ title "The same, and what its tests need."; export_lock --group dev; } >"$scratch/dev.txt"
{
    title "The django-oscar shop of examples/django-oscar, in an environment of its own."
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-emit-index-url --no-emit-find-links --no-annotate "$@" "$root/requirements/oscar.in"
} >"$scratch/oscar.txt"

for lock in runtime dev oscar; do
    if grep -nE '://|@ |--(extra-)?index-url|--find-links' "$scratch/$lock.txt"; then
        echo "lock: $lock.txt names an address; nothing was written" >&2
        exit 1
    fi
done
mv "$scratch/runtime.txt" "$scratch/dev.txt" "$scratch/oscar.txt" "$root/requirements/"
