#!/usr/bin/env bash
# demo.sh [FOLDER]: a small pipeline on handwritten digits, recorded, and its trace as a picture.
# Makes a repository in a new FOLDER, or in a temporary one, and leaves it there to look at.
# Needs git-lineage, scikit-learn and Graphviz, but no network.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

python -c 'import sklearn' || { echo "demo: needs a python that has scikit-learn" >&2; exit 1; }
git lineage --version >/dev/null || { echo "demo: needs git-lineage on the PATH" >&2; exit 1; }
folder=${1:-$(mktemp -d "${TMPDIR:-/tmp}/lineage-demo.XXXXXX")}
mkdir -p "$folder"
cd "$folder"
[ -z "$(ls -A)" ] || { echo "demo: $folder is not empty" >&2; exit 1; }

say() { printf '\n# %s\n' "$*"; }
run() {
    local word line='$'
    for word; do
        case $word in
            *[!a-zA-Z0-9_./=@+-]*) line+=" '$word'" ;;
            *) line+=" $word" ;;
        esac
    done
    printf '%s\n' "$line"
    "$@" 2>&1
}

say "A repository with four scripts. What they make is ignored by git."
git -c init.defaultBranch=main init -q
git config user.name "Ada Lovelace"
git config user.email ada@example.org
cp "$here"/{prepare,train,evaluate,choose}.py .
printf '%s\n' data/ models/ reports/ trace.svg >.gitignore
git add .
run git commit -q -m "Recognize digits"

say "Prepare the data; then train and evaluate with several settings."
run git lineage run -- python prepare.py
for depth in 2 4 6; do
    run git lineage run -q -p depth=$depth -t sweep -- \
        python train.py data/train.csv models/depth-$depth.pkl --depth $depth
    run git lineage run -q -t sweep -- \
        python evaluate.py models/depth-$depth.pkl data/test.csv reports/depth-$depth.json
done

say "An idea, tried without a commit: the code is recorded as it was."
run sed -i.before s/RandomForest/ExtraTrees/ train.py
rm train.py.before
run git lineage run -q -p depth=8 -t sweep -- \
    python train.py data/train.csv models/extra.pkl --depth 8
run git checkout -q train.py
run git lineage run -q -t sweep -- \
    python evaluate.py models/extra.pkl data/test.csv reports/extra.json

say "Choose the best, and say that it is in use."
run git lineage run -- python choose.py models/best.pkl models/*.pkl reports/*.json
run git lineage tag -m "in use from today on" production @choose

say "What has run?"
run git lineage log --oneline

say "What is known of the execution that is in production?"
run git lineage show production

say "How was the model made?"
run git lineage trace models/best.pkl --format tree

if command -v dot >/dev/null; then
    run git lineage trace models/best.pkl -o trace.svg
    say "The same as a picture: $PWD/trace.svg"
else
    say "With Graphviz installed: git lineage trace models/best.pkl -o trace.svg"
fi
say "The repository is there to look at: cd $PWD"
