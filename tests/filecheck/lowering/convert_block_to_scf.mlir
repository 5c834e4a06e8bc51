// RUN: rammer-opt %s -p convert-block-to-scf --split-input-file | filecheck %s

// Parallel loops are serial; barriers and groups of copies vanish; a copy with a predicate is a branch.

block.body @serial threads 64 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %n: index):
  %zero = arith.constant 0 : index
  %all = arith.constant 64 : index
  %tile = memref.alloca() : memref<64xf32, "shared">
  %inside = arith.cmpi slt, %task, %n : index
  block.parallel thread (%i) in %all {
    block.copy_async 1 %x[%i], %tile[%i] if %inside : memref<?xf32, "global">, memref<64xf32, "shared">
  }
  block.commit_copies
  block.wait_copies 0
  block.barrier
  block.parallel warp (%w) in %n {
    %sum = block.warp_reduce add (%k) in %all -> f32 {
      %v = memref.load %tile[%k] : memref<64xf32, "shared">
      block.yield %v : f32
    }
    memref.store %sum, %y[%w] : memref<?xf32, "global">
  }
  block.yield
}

// CHECK:       func.func @serial(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %n: index)
// CHECK-SAME:      attributes {block.threads = 64 : i64, block.scratch_bytes = 256 : i64} {
// CHECK:         %tile = memref.alloca() {block.offset = 0 : i64} : memref<64xf32, "shared">
// CHECK-NEXT:    %inside = arith.cmpi slt, %task, %n : index
// CHECK-NEXT:    [[ZERO:%.*]] = arith.constant 0 : index
// CHECK-NEXT:    [[ONE:%.*]] = arith.constant 1 : index
// CHECK-NEXT:    scf.for %i = [[ZERO]] to %all step [[ONE]] {
// CHECK-NEXT:      scf.if %inside {
// CHECK-NEXT:        [[X:%.*]] = memref.load %x[%i] : memref<?xf32, "global">
// CHECK-NEXT:        memref.store [[X]], %tile[%i] : memref<64xf32, "shared">
// CHECK-NEXT:      } else {
// CHECK-NEXT:        [[NOTHING:%.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT:        memref.store [[NOTHING]], %tile[%i] : memref<64xf32, "shared">
// CHECK-NEXT:      }
// CHECK-NEXT:    } {block.independent}
// CHECK-NEXT:    [[ZERO2:%.*]] = arith.constant 0 : index
// CHECK-NEXT:    [[ONE2:%.*]] = arith.constant 1 : index
// CHECK-NEXT:    scf.for %w = [[ZERO2]] to %n step [[ONE2]] {
// CHECK:           %sum = scf.for %k = {{.*}} to %all step {{.*}} iter_args(%so_far = {{.*}}) -> (f32) {
// CHECK-NEXT:        %v = memref.load %tile[%k] : memref<64xf32, "shared">
// CHECK-NEXT:        [[NEXT:%.*]] = arith.addf %so_far, %v : f32
// CHECK-NEXT:        scf.yield [[NEXT]] : f32
// CHECK-NEXT:      }
// CHECK-NEXT:      memref.store %sum, %y[%w] : memref<?xf32, "global">
// CHECK-NEXT:    } {block.independent}
// CHECK-NEXT:    func.return

// -----

// An array that each thread has gets a row for each iteration of the loops that share it; one inside a loop stays.

block.body @private threads 16 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">):
  %zero = arith.constant 0 : index
  %few = arith.constant 8 : index
  %all = arith.constant 16 : index
  %a = memref.alloca() : memref<2x4xf32, "thread">
  block.parallel thread (%i) in %few {
    block.copy 2 %x[%i], %a[%zero, %zero] : memref<?xf32, "global">, memref<2x4xf32, "thread">
  }
  block.parallel thread (%j) in %all {
    %b = memref.alloca() : memref<1xf32, "thread">
    %v = memref.load %a[%zero, %zero] : memref<2x4xf32, "thread">
    memref.store %v, %b[%zero] : memref<1xf32, "thread">
  }
  block.yield
}

// CHECK:       func.func @private
// CHECK:         %a = memref.alloca() : memref<16x2x4xf32, "thread">
// CHECK:         scf.for %i
// CHECK:           [[V0:%.*]] = memref.load %x[%i] :
// CHECK:           [[V1:%.*]] = memref.load %x[{{.*}}] :
// CHECK:           memref.store [[V0]], %a[%i, %zero, %zero] : memref<16x2x4xf32, "thread">
// CHECK:           memref.store [[V1]], %a[%i, %zero, %{{.*}}] : memref<16x2x4xf32, "thread">
// CHECK:         scf.for %j
// CHECK:           %b = memref.alloca() : memref<1xf32, "thread">
// CHECK-NEXT:      %v = memref.load %a[%j, %zero, %zero] : memref<16x2x4xf32, "thread">
// CHECK-NEXT:      memref.store %v, %b[%zero] : memref<1xf32, "thread">

// -----

// With one thread there is one of everything. The ring's ops stay.

block.body @alone threads 1 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">):
  %zero = arith.constant 0 : index
  %a = memref.alloca() : memref<4xf32, "thread">
  %chunk = block.ring_wait : memref<4xf32, "shared">
  block.copy 1 %chunk[%zero], %a[%zero] : memref<4xf32, "shared">, memref<4xf32, "thread">
  block.copy 1 %a[%zero], %y[%zero] : memref<4xf32, "thread">, memref<?xf32, "global">
  block.ring_release
  block.yield
} service {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">):
  block.ring_push 4 %w[%task] : memref<?xf32, "weights">
  block.yield
}

// CHECK:       func.func @alone
// CHECK:         %a = memref.alloca() : memref<4xf32, "thread">
// CHECK-NEXT:    %chunk = block.ring_wait : memref<4xf32, "shared">
// CHECK-NEXT:    [[V:%.*]] = memref.load %chunk[%zero] : memref<4xf32, "shared">
// CHECK-NEXT:    memref.store [[V]], %a[%zero] : memref<4xf32, "thread">
// CHECK-NEXT:    [[W:%.*]] = memref.load %a[%zero] : memref<4xf32, "thread">
// CHECK-NEXT:    memref.store [[W]], %y[%zero] : memref<?xf32, "global">
// CHECK-NEXT:    block.ring_release
// CHECK-NEXT:    func.return
// CHECK:       func.func @alone_service(%task: index, %t: index, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">) {
// CHECK-NEXT:    block.ring_push 4 %w[%task] : memref<?xf32, "weights">
// CHECK-NEXT:    func.return

// -----

// Steps stay a loop; each thread has its row of what is kept.

block.body @stepped threads 64 {
^bb0(%task: index, %unused: index, %w: memref<?xf32, "weights">, %x: memref<?xf32, "global">):
  %zero = arith.constant 0 : index
  %n = arith.constant 64 : index
  %kept = memref.alloca() : memref<1xf32, "thread">
  block.parallel thread (%i) in %n {
    %v = memref.load %w[%i] : memref<?xf32, "weights">
    memref.store %v, %kept[%zero] : memref<1xf32, "thread">
  }
  block.steps (%t, %end) {
    block.barrier
    block.parallel thread (%i) in %n {
      %row = arith.muli %t, %n : index
      %at = arith.addi %row, %i : index
      %v = memref.load %kept[%zero] : memref<1xf32, "thread">
      memref.store %v, %x[%at] : memref<?xf32, "global">
    }
  }
  block.yield
}

// CHECK:       func.func @stepped
// CHECK:         %kept = memref.alloca() : memref<64x1xf32, "thread">
// CHECK:         scf.for
// CHECK:           memref.store %v, %kept[%i, %zero]
// CHECK:         block.steps (%t, %end) {
// CHECK-NOT:       barrier
// CHECK:           scf.for
// CHECK:             memref.load %kept[%i_1, %zero]
// CHECK:         func.return
