// RUN: RAMMER_INVALID

// CHECK: diagnostics.mlir:4:1: 'func.return' expects parent op 'func.func'
func.return

// -----

// CHECK: diagnostics.mlir:10:14
// CHECK: Operation nonsense.op is not registered
"nonsense.op"() : () -> ()

// -----

// CHECK: "test.op"() {valid} : () -> ()
"test.op"() {valid} : () -> ()
