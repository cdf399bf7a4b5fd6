#!/bin/bash
# Fails with advice where no Rust is found that is new enough to build the core, or where its formatter or linter is missing.
set -euo pipefail

core=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../sensor/core" && pwd)
needed=$(sed -nE 's/^rust-version = "(.*)"/\1/p' "$core/Cargo.toml")

fail() {
    echo "$1 The core needs Rust $needed or newer, more than Debian 12 has: install it with rustup, then" >&2
    echo "put ~/.cargo/bin on PATH. Its components rustfmt and clippy are needed for make lint." >&2
    exit 1
}

command -v cargo >/dev/null || fail "cargo was not found."
found=$(rustc --version | cut -d ' ' -f 2)
[[ $(printf '%s\n' "$needed" "$found" | sort --version-sort | head -n 1) == "$needed" ]] || fail "Rust $found is too old."
cargo fmt --version >/dev/null 2>&1 || fail "cargo fmt was not found."
cargo clippy --version >/dev/null 2>&1 || fail "cargo clippy was not found."
