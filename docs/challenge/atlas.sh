# atlas.sh NAME MODEL ANATOMY...: stages 1 to 4, in the folder NAME, each execution tagged NAME.
set -eu
name=$1 model=$2
shift 2
mkdir "$name"

run() { git lineage run -q -t "$name" "$@"; }

for i; do
    run -p model="$model" -- python align_warp.py \
        "anatomy$i.img" "anatomy$i.hdr" reference.img reference.hdr "$name/warp$i.warp" \
        -m "$model" -q
    run -i "anatomy$i.img" -i "anatomy$i.hdr" -- python reslice.py \
        "$name/warp$i.warp" "$name/resliced$i"
done
run -p y=null -- python softmean.py "$name/atlas" y null "$name"/resliced*.img "$name"/resliced*.hdr
for axis in x y z; do
    run -p $axis=.5 -- python slicer.py \
        "$name/atlas.img" "$name/atlas.hdr" -$axis .5 "$name/atlas-$axis.pgm"
done
