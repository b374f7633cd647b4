#!/usr/bin/env bash
# All that needs a graphics card, in one run of under ten minutes: the speed of the training loop, the tests of models on
# the card, and models of films and cosmetics that are too large for a processor.
#
#     bash benchmarks/gpu.sh OUT            needs a GPU, movielens-1m and beauty (llmarm data fetch)
#     bash benchmarks/gpu.sh OUT --smoke    shows on a processor that every step runs
#
# The training loop has the card for itself; then tests and models share it, so that the seconds of these models are no
# measure of speed. Every step has a limit and puts into OUT what it has as soon as it has it; none stops the others.
# LIMIT (560) is the seconds for all, PYTHON the interpreter. To keep the results, copy OUT/gpu_* to results/benchmarks.
set -u
cd "$(dirname "$0")/.." || exit
out=${1:?name a folder for the results} smoke=${2:-}
python=${PYTHON:-python3} limit=${LIMIT:-560} work=$(mktemp -d)
mkdir -p "$out" && out=$(cd "$out" && pwd)
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1
export BENCH_COMMAND="bash benchmarks/gpu.sh OUT"
SECONDS=0 failed=0

step() { # step NAME SECONDS COMMAND…: run with a limit, which is never above what is left of all
    local name=$1 left=$((limit - SECONDS)) code=0
    local most=$(($2 < left ? $2 : left)) begin=$SECONDS
    shift 2
    if ((most < 5)); then echo "$name: left out, no time is left" | tee -a "$out/steps.txt"; return 1; fi
    timeout --kill-after=5 "$most" "$@" >"$work/$name.log" 2>&1 || code=$?
    { echo "=== $name"; tail -n 300 "$work/$name.log"; } >>"$out/logs.txt"
    echo "$name: exit $code after $((SECONDS - begin)) of at most $most s" | tee -a "$out/steps.txt"
    return $code
}

benchmark() { # benchmark NAME SECONDS ARGUMENTS…: benchmarks/NAME.py, its rows to OUT even where time did not suffice
    local name=$1 seconds=$2 code=0
    shift 2
    local kept=("$python" "benchmarks/$name.py" "$@" --work "$work/rows" --out "$work/out")
    step "$name" "$seconds" "${kept[@]}" || { code=1; "${kept[@]}" --collect >/dev/null 2>&1; }
    for end in csv json; do cp "$work/out/$name.$end" "$out/gpu_$name.$end" || code=1; done
    return $code
}

: >"$out/steps.txt" >"$out/logs.txt"
{ nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || echo "no graphics card"
    "$python" -c 'import platform, torch, transformers as t
print("Python", platform.python_version(), "torch", torch.__version__, "CUDA", torch.version.cuda, "transformers", t.__version__)'
} 2>/dev/null | tee -a "$out/steps.txt"

if [ "$smoke" = --smoke ]; then
    benchmark training 120 --smoke || failed=1
    step tests 120 "$python" -m pytest -q -p no:cacheprovider tests/models/test_tokens.py || failed=1
    benchmark quality 120 --smoke --models causal --counting sr || failed=1
else
    benchmark training 200 --device cuda --turns 3 --seconds 2 --data movielens-1m beauty || failed=1
    step tests 200 "$python" -m pytest -q -n 6 --dist loadfile -p no:cacheprovider \
        tests/models tests/graphs tests/labels tests/recommend &
    quality=(--recipe gpu --data movielens-1m beauty --seeds 1 --counting sr)
    benchmark quality 500 "${quality[@]}" --models causal || failed=1
    wait $! || failed=1
    benchmark quality 500 "${quality[@]}" --models causal masked || failed=1
fi
exit $failed
