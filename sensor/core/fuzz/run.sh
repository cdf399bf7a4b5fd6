#!/bin/bash
# Runs fuzz targets: `bash run.sh [SECONDS [TARGET...]]`, 10 seconds each and all of them unless told otherwise.
#
# Builds them on stable Rust with the coverage that libFuzzer goes by, so that no further tool is needed. They start from
# what seeds.py makes of the test data, from what earlier runs here found, and from corpus/TARGET, which keeps the inputs
# that once broke something. What is found goes to .build/fuzz/TARGET in the repository's folder; a crash is printed with
# the command that repeats it. FUZZ_JOBS is how many run at once.
set -euo pipefail

seconds=${1:-10}
shift || true
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
found=$(cd "$here/../../.." && pwd)/.build/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
# A panic says where it is; the calls behind it are the fuzzer's own.
export RUST_BACKTRACE=0
jobs=${FUZZ_JOBS:-2}

# With --target, build scripts and macros are built without these.
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
cargo build --quiet --release --locked --bins --target "$host" --manifest-path "$here/Cargo.toml"

rm -rf "$found/seeds"
python3 "$here/seeds.py" "$found/seeds"

run_target() {
    local target=$1 corpus=$found/$1/corpus log=$found/$1/log
    local -a options=(-max_total_time="$seconds" -rss_limit_mb=1024 -timeout=5 -max_len=4096 -print_final_stats=1
        -artifact_prefix="$found/$target/" -dict="$here/dictionary")
    local -a starts=("$corpus")
    mkdir -p "$corpus"
    for folder in "$found/seeds/$target" "$here/corpus/$target"; do
        [[ -d $folder ]] && starts+=("$folder")
    done
    if ! "$here/target/$host/release/$target" "${options[@]}" "${starts[@]}" > "$log" 2>&1; then
        tail -n 25 "$log"
        echo "FAILED: fuzz target $target. Again: $here/target/$host/release/$target FILE (named above)"
        return 1
    fi
    printf '%-20s %9s inputs %6s edges and compares\n' "$target" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
        "$(sed -nE 's/.* ft: ([0-9]+) .*/\1/p' "$log" | tail -n 1)"
}

if (($# == 0)); then
    mapfile -t targets < <(cd "$here/src/bin" && printf '%s\n' *.rs | sed 's/\.rs$//')
    set -- "${targets[@]}"
fi
export -f run_target
export seconds here found host
printf '%s\n' "$@" | xargs --max-procs="$jobs" --max-args=1 bash -euo pipefail -c 'run_target "$1"' run_target
