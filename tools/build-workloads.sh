#!/bin/sh
# Rebuild scenarios/workloads/*.bpf.o from their sources. Needs clang-19, llvm-19 and libbpf-dev.
# Instruction set v1 is what compilers made when the published figures were taken; BTF and line
# information stay, DWARF goes.
set -eu
cd "$(dirname "$0")/../scenarios/workloads"

for source in *.bpf.c; do
  object=${source%.c}.o
  clang-19 -O2 -g -mcpu=v1 -Wall -Werror -target bpf -ffile-compilation-dir=. \
    -I"/usr/include/$(uname -m)-linux-gnu" -c "$source" -o "$object"
  llvm-strip-19 -g "$object"
done
