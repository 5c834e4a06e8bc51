// RUN: rammer-opt %s -p convert-block-to-cuda -t cuda | filecheck %s
// RUN: not rammer-opt %s -p convert-block-to-scf 2>&1 | filecheck %s --check-prefix=HOST

// An instruction changes its sums: they are new variables. A host has no such instruction.

// CHECK:      const float v = rammer::load(x + thread);
// CHECK-NEXT: const float f = rammer::round_tf32(v);
// CHECK-NEXT: float s0 = v;
// CHECK-NEXT: float s1 = v;
// CHECK-NEXT: float s2 = v;
// CHECK-NEXT: float s3 = v;
// CHECK-NEXT: rammer::mma_tf32(s0, s1, s2, s3, f, f, f, f, f, f);
// CHECK:      y[thread] = s0;
// HOST:       error: pass convert-block-to-scf: block.round_tf32 has no form in scf here
block.body @tiles threads 32 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">):
  %lanes = arith.constant 32 : index
  block.parallel thread (%i) in %lanes {
    %v = memref.load %x[%i] : memref<?xf32, "global">
    %f = block.round_tf32 %v
    %s0, %s1, %s2, %s3 = block.mma tf32 [%f, %f, %f, %f] [%f, %f] [%v, %v, %v, %v]
    memref.store %s0, %y[%i] : memref<?xf32, "global">
  }
  block.yield
}
