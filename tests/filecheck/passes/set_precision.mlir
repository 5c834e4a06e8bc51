// RUN: rammer-opt %s -p 'set-precision{precision=tf32}' | filecheck %s
// RUN: rammer-opt %s -p 'set-precision{precision="3xtf32"}' | filecheck %s --check-prefix=PARTS
// RUN: rammer-opt %s -p 'set-precision{precision=tf32},set-precision{precision=fp32}' | filecheck %s --check-prefix=EXACT
// RUN: not rammer-opt %s -p 'set-precision{precision=fp8}' 2>&1 | filecheck %s --check-prefix=UNKNOWN

// CHECK:     builtin.module attributes {rop.precision = "tf32"} {
// PARTS:     builtin.module attributes {rop.precision = "3xtf32"} {
// EXACT-NOT: rop.precision
// UNKNOWN:   error: pass set-precision: unknown precision 'fp8': choose from fp32, tf32, 3xtf32

func.func @main() {
  func.return
}
