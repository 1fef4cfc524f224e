#!/bin/sh
# Rebuild test/objects/*.o from their sources. Needs clang-14, clang-19 and LLVM's binutils.
set -eu
cd "$(dirname "$0")/../test/objects"

build() { # compiler, output, source, flags…
  compiler=$1 output=$2 source=$3
  shift 3
  "$compiler" -O2 -target bpf -ffile-prefix-map="$PWD"=. "$@" -c "$source" -o "$output"
}

build clang-19 counters.o counters.bpf.c -g -mcpu=v3
for name in globals nested_maps kfuncs tracing linked_main linked_parse xdp_dispatcher xdp_chained xdp_traced xdp_cpumap; do
  build clang-19 $name.o $name.bpf.c -g -mcpu=v3
done
build clang-19 isa_v4.o isa_v4.bpf.c -g -mcpu=v4
for name in legacy_maps iproute2_maps; do
  build clang-19 $name.o $name.bpf.c -g
done
build clang-19 legacy_maps.nobtf.o legacy_maps.bpf.c
for name in counters legacy_maps; do
  build clang-14 $name.clang14.o $name.bpf.c -g
done
for object in *.o; do
  [ "$object" = counters.o ] || llvm-strip-19 -g "$object"
done

(
  cd mistakes
  for source in *.bpf.c; do
    build clang-19 "${source%.bpf.c}.o" "$source" -g -mcpu=v3 -Wno-unused-variable
    llvm-strip-19 -g "${source%.bpf.c}.o"
  done
)

(
  cd faults
  for name in $(sed -n 's/.*defined(\([a-z_]*\)).*/\1/p' faults.bpf.c); do
    build clang-19 "$name.o" faults.bpf.c -g -mcpu=v3 "-D$name"
    llvm-strip-19 -g "$name.o"
  done
)

build clang-19 core_target.tmp core_target.c -g
llvm-objcopy-19 --dump-section .BTF=core_target.btf core_target.tmp
rm core_target.tmp

build clang-19 odd_types.tmp odd_types.c -g -mcpu=v3
llvm-objcopy-19 --dump-section .BTF=odd_types.btf odd_types.tmp
rm odd_types.tmp
