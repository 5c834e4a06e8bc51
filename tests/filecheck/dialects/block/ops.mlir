// RUN: RAMMER_ROUNDTRIP
// RUN: rammer-opt %s | rammer-opt | filecheck %s

"test.op"() {levels = [#block<level thread>, #block<level warp>]} : () -> ()

// Row sums of a tile that is staged through shared memory, times weights from the ring.
block.body @row_sums threads 128 attributes {note} {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">, %n: index):
  %zero = arith.constant 0 : index
  %inside = arith.cmpi slt, %zero, %n : index
  %tile = memref.alloca() : memref<2x64xf32, "shared">
  %fragment = memref.alloca() : memref<4xf32, "thread">
  block.parallel thread (%i) in %n {
    block.copy_async 1 %x[%i], %tile[%zero, %i] if %inside : memref<?xf32, "global">, memref<2x64xf32, "shared">
    block.copy_async 4 %w[%i], %tile[%zero, %i] : memref<?xf32, "weights">, memref<2x64xf32, "shared">
  }
  block.commit_copies
  block.wait_copies 0
  block.barrier
  %chunk = block.ring_wait : memref<32x64xf32, "shared">
  block.parallel thread (%i) in %n attributes {note} {
    block.copy 4 %tile[%zero, %i], %fragment[%zero] : memref<2x64xf32, "shared">, memref<4xf32, "thread">
    block.copy 2 %chunk[%zero, %i], %fragment[%zero] : memref<32x64xf32, "shared">, memref<4xf32, "thread">
    block.copy 1 %fragment[%zero], %y[%i] : memref<4xf32, "thread">, memref<?xf32, "global">
  }
  block.ring_release
  block.parallel warp (%row) in %n {
    %sum = block.warp_reduce add (%k) in %n -> f32 attributes {note} {
      %v = memref.load %tile[%row, %k] : memref<2x64xf32, "shared">
      block.yield %v : f32
    }
    memref.store %sum, %y[%row] : memref<?xf32, "global">
  }
  block.parallel thread (%i) in %n {
    %one = arith.constant 1.0 : f32
    %lanes = block.lane_reduce maximum %one over 8 step 4 attributes {note} : f32
    %f = block.round_tf32 %one
    %s0, %s1, %s2, %s3 = block.mma tf32 [%f, %f, %f, %f] [%f, %f] [%one, %one, %one, %one] attributes {note}
  }
  block.yield
} service {
^bb1(%task: index, %t: index, %x: memref<?xf32, "global">, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">, %n: index):
  block.ring_push 2048 %w[%task] : memref<?xf32, "weights">
  block.yield
}

// All memory spaces of a program; no parameter.
block.body @spaces threads 1 {
^bb0(%task: index, %t: index, %a: memref<?xf32, "global">, %b: memref<?xi32, "weights">, %c: memref<?xf32, "words">, %d: memref<?xf32, "pinned">):
  block.yield
}

// What stands before its steps is done once.
block.body @stepped threads 32 {
^bb0(%task: index, %unused: index, %x: memref<?xf32, "global">):
  %v = arith.constant 1.0 : f32
  block.steps (%t, %end) attributes {note} {
    block.parallel thread (%i) in %t {
      memref.store %v, %x[%i] : memref<?xf32, "global">
    }
  }
  block.yield
}

// CHECK:      "test.op"() {levels = [#block<level thread>, #block<level warp>]} : () -> ()
// CHECK:      block.body @row_sums threads 128 attributes {note} {
// CHECK-NEXT: ^bb{{[0-9]+}}(%task: index, %t: index, %x: memref<?xf32, "global">, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">, %n: index):
// CHECK-NEXT:   %zero = arith.constant 0 : index
// CHECK-NEXT:   %inside = arith.cmpi slt, %zero, %n : index
// CHECK-NEXT:   %tile = memref.alloca() : memref<2x64xf32, "shared">
// CHECK-NEXT:   %fragment = memref.alloca() : memref<4xf32, "thread">
// CHECK-NEXT:   block.parallel thread (%i) in %n {
// CHECK-NEXT:     block.copy_async 1 %x[%i], %tile[%zero, %i] if %inside : memref<?xf32, "global">, memref<2x64xf32, "shared">
// CHECK-NEXT:     block.copy_async 4 %w[%i], %tile[%zero, %i] : memref<?xf32, "weights">, memref<2x64xf32, "shared">
// CHECK-NEXT:   }
// CHECK-NEXT:   block.commit_copies
// CHECK-NEXT:   block.wait_copies 0
// CHECK-NEXT:   block.barrier
// CHECK-NEXT:   %chunk = block.ring_wait : memref<32x64xf32, "shared">
// CHECK-NEXT:   block.parallel thread (%i_1) in %n attributes {note} {
// CHECK-NEXT:     block.copy 4 %tile[%zero, %i_1], %fragment[%zero] : memref<2x64xf32, "shared">, memref<4xf32, "thread">
// CHECK-NEXT:     block.copy 2 %chunk[%zero, %i_1], %fragment[%zero] : memref<32x64xf32, "shared">, memref<4xf32, "thread">
// CHECK-NEXT:     block.copy 1 %fragment[%zero], %y[%i_1] : memref<4xf32, "thread">, memref<?xf32, "global">
// CHECK-NEXT:   }
// CHECK-NEXT:   block.ring_release
// CHECK-NEXT:   block.parallel warp (%row) in %n {
// CHECK-NEXT:     %sum = block.warp_reduce add (%k) in %n -> f32 attributes {note} {
// CHECK-NEXT:       %v = memref.load %tile[%row, %k] : memref<2x64xf32, "shared">
// CHECK-NEXT:       block.yield %v : f32
// CHECK-NEXT:     }
// CHECK-NEXT:     memref.store %sum, %y[%row] : memref<?xf32, "global">
// CHECK-NEXT:   }
// CHECK-NEXT:   block.parallel thread (%i_2) in %n {
// CHECK-NEXT:     %one = arith.constant 1.000000e+00 : f32
// CHECK-NEXT:     %lanes = block.lane_reduce maximum %one over 8 step 4 attributes {note} : f32
// CHECK-NEXT:     %f = block.round_tf32 %one
// CHECK-NEXT:     %s0, %s1, %s2, %s3 = block.mma tf32 [%f, %f, %f, %f] [%f, %f] [%one, %one, %one, %one] attributes {note}
// CHECK-NEXT:   }
// CHECK-NEXT:   block.yield
// CHECK-NEXT: } service {
// CHECK-NEXT: ^bb{{[0-9]+}}(%task_1: index, %t_1: index, %x_1: memref<?xf32, "global">, %w_1: memref<?xf32, "weights">, %y_1: memref<?xf32, "global">, %n_1: index):
// CHECK-NEXT:   block.ring_push 2048 %w_1[%task_1] : memref<?xf32, "weights">
// CHECK-NEXT:   block.yield
// CHECK-NEXT: }
// CHECK:      block.body @spaces threads 1 {
// CHECK-NEXT: ^bb{{[0-9]+}}(%task: index, %t: index, %a: memref<?xf32, "global">, %b: memref<?xi32, "weights">, %c: memref<?xf32, "words">, %d: memref<?xf32, "pinned">):
// CHECK-NEXT:   block.yield
// CHECK-NEXT: }

// CHECK:      block.body @stepped threads 32 {
// CHECK-NEXT: ^bb{{[0-9]+}}(%task: index, %unused: index, %x: memref<?xf32, "global">):
// CHECK-NEXT:   %v = arith.constant 1.000000e+00 : f32
// CHECK-NEXT:   block.steps (%t, %end) attributes {note} {
// CHECK-NEXT:     block.parallel thread (%i) in %t {
// CHECK-NEXT:       memref.store %v, %x[%i] : memref<?xf32, "global">
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT:   block.yield
// CHECK-NEXT: }
