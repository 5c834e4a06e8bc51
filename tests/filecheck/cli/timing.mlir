// Messages go to stderr, the result alone to stdout.
// RUN: rammer-opt %s -p cse,dce --time-passes --print-ir-after=cse 2>&1 >/dev/null | filecheck %s --check-prefix=STDERR
// RUN: rammer-opt %s -p cse,dce --time-passes --print-ir-after-all 2>/dev/null | filecheck %s

// STDERR:      // -----// IR Dump After cse //----- //
// STDERR-NEXT: builtin.module {
// STDERR-NOT:  IR Dump After dce
// STDERR:      seconds  percent  pass
// STDERR-NEXT: cse
// STDERR-NEXT: dce
// STDERR-NEXT: 100.0  total

// CHECK:      builtin.module {
// CHECK-NEXT:   %0 = arith.constant 1 : i32
// CHECK-NEXT:   "test.op"(%0, %0) : (i32, i32) -> ()
// CHECK-NEXT: }
%0 = arith.constant 1 : i32
%1 = arith.constant 1 : i32
"test.op"(%0, %1) : (i32, i32) -> ()
// CHECK-NOT: seconds
