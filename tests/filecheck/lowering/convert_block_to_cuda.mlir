// RUN: rammer-opt %s -p convert-block-to-cuda --split-input-file | filecheck %s

// A loop over threads of an extent that only the caller knows strides; one of as many iterations as threads vanishes; one
// of fewer becomes a branch.

block.body @loops threads 128 attributes {block.in_order} {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %n: index):
  block.parallel thread (%i) in %n {
    %v = memref.load %x[%i] : memref<?xf32, "global">
    memref.store %v, %y[%i] : memref<?xf32, "global">
  }
  block.barrier
  %all = arith.constant 128 : index
  block.parallel thread (%i) in %all {
    %v = memref.load %x[%i] : memref<?xf32, "global">
    memref.store %v, %y[%i] : memref<?xf32, "global">
  }
  %some = arith.constant 5 : index
  block.parallel thread (%i) in %some {
    %v = memref.load %x[%i] : memref<?xf32, "global">
    memref.store %v, %y[%i] : memref<?xf32, "global">
  }
  block.yield
}

// CHECK:       cuda.func @loops threads 128 scratch 0 attributes {block.in_order} {
// CHECK-NEXT:  ^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %n: index):
// CHECK-NEXT:    %thread = cuda.thread_index
// CHECK-NEXT:    [[STEP:%.*]] = arith.constant 128 : index
// CHECK-NEXT:    scf.for %i = %thread to %n step [[STEP]] {
// CHECK-NEXT:      %v = memref.load %x[%i] : memref<?xf32, "global">
// CHECK-NEXT:      memref.store %v, %y[%i] : memref<?xf32, "global">
// CHECK-NEXT:    }
// CHECK-NEXT:    cuda.barrier
// CHECK-NEXT:    %all = arith.constant 128 : index
// CHECK-NEXT:    [[V:%.*]] = memref.load %x[%thread] : memref<?xf32, "global">
// CHECK-NEXT:    memref.store [[V]], %y[%thread] : memref<?xf32, "global">
// CHECK-NEXT:    %some = arith.constant 5 : index
// CHECK-NEXT:    [[INSIDE:%.*]] = arith.cmpi slt, %thread, %some : index
// CHECK-NEXT:    scf.if [[INSIDE]] {
// CHECK-NEXT:      [[W:%.*]] = memref.load %x[%thread] : memref<?xf32, "global">
// CHECK-NEXT:      memref.store [[W]], %y[%thread] : memref<?xf32, "global">
// CHECK-NEXT:    }
// CHECK-NEXT:    cuda.return

// -----

// At warp level one lane stores; a reduction strides over lanes and ends in shuffles. Lanes meet around a store of memory
// that is also loaded: here y, which is updated.

block.body @rows threads 64 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "weights">, %y: memref<?xf32, "global">, %n: index):
  block.parallel warp (%w) in %n {
    %sum = block.warp_reduce add (%k) in %n -> f32 {
      %v = memref.load %x[%k] : memref<?xf32, "weights">
      block.yield %v : f32
    }
    %old = memref.load %y[%w] : memref<?xf32, "global">
    %new = arith.addf %old, %sum : f32
    memref.store %new, %y[%w] : memref<?xf32, "global">
  }
  block.yield
}

// CHECK:       cuda.func @rows threads 64 scratch 0 {
// CHECK:         %warp = cuda.warp_index
// CHECK-NEXT:    %lane = cuda.lane_index
// CHECK-NEXT:    [[ZERO:%.*]] = arith.constant 0 : index
// CHECK-NEXT:    %is_first_lane = arith.cmpi eq, %lane, [[ZERO]] : index
// CHECK-NEXT:    [[WARPS:%.*]] = arith.constant 2 : index
// CHECK-NEXT:    scf.for %w = %warp to %n step [[WARPS]] {
// CHECK-NEXT:      [[START:%.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT:      [[LANES:%.*]] = arith.constant 32 : index
// CHECK-NEXT:      %sum = scf.for %k = %lane to %n step [[LANES]] iter_args(%so_far = [[START]]) -> (f32) {
// CHECK-NEXT:        %v = memref.load %x[%k] : memref<?xf32, "weights">
// CHECK-NEXT:        [[NEXT:%.*]] = arith.addf %so_far, %v : f32
// CHECK-NEXT:        scf.yield [[NEXT]] : f32
// CHECK-NEXT:      }
// CHECK-NEXT:      [[O16:%.*]] = cuda.shuffle xor 16 %sum : f32
// CHECK-NEXT:      [[S16:%.*]] = arith.addf %sum, [[O16]] : f32
// CHECK-NEXT:      [[O8:%.*]] = cuda.shuffle xor 8 [[S16]] : f32
// CHECK-NEXT:      [[S8:%.*]] = arith.addf [[S16]], [[O8]] : f32
// CHECK-NEXT:      [[O4:%.*]] = cuda.shuffle xor 4 [[S8]] : f32
// CHECK-NEXT:      [[S4:%.*]] = arith.addf [[S8]], [[O4]] : f32
// CHECK-NEXT:      [[O2:%.*]] = cuda.shuffle xor 2 [[S4]] : f32
// CHECK-NEXT:      [[S2:%.*]] = arith.addf [[S4]], [[O2]] : f32
// CHECK-NEXT:      [[O1:%.*]] = cuda.shuffle xor 1 [[S2]] : f32
// CHECK-NEXT:      [[S1:%.*]] = arith.addf [[S2]], [[O1]] : f32
// CHECK-NEXT:      %old = memref.load %y[%w] : memref<?xf32, "global">
// CHECK-NEXT:      %new = arith.addf %old, [[S1]] : f32
// CHECK-NEXT:      cuda.warp_barrier
// CHECK-NEXT:      scf.if %is_first_lane {
// CHECK-NEXT:        memref.store %new, %y[%w] : memref<?xf32, "global">
// CHECK-NEXT:      }
// CHECK-NEXT:      cuda.warp_barrier
// CHECK-NEXT:    }

// -----

// Stores by index of a reduction are done by the lane that has the index. Nothing loads what is written, so no lane waits.
// Stores to per-thread arrays are every lane's.

block.body @each threads 32 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "weights">, %y: memref<?xf32, "global">, %n: index):
  block.parallel warp (%w) in %n {
    %zero = arith.constant 0 : index
    %own = memref.alloca() : memref<1xf32, "thread">
    %max = block.warp_reduce maximum (%k) in %n -> f32 {
      %v = memref.load %x[%k] : memref<?xf32, "weights">
      memref.store %v, %y[%k] : memref<?xf32, "global">
      block.yield %v : f32
    }
    memref.store %max, %own[%zero] : memref<1xf32, "thread">
  }
  block.yield
}

// CHECK:       cuda.func @each threads 32 scratch 0 {
// CHECK-NOT:     is_first_lane
// CHECK:           [[START:%.*]] = arith.constant 0xff800000 : f32
// CHECK:           %max = scf.for %k = %lane to %n
// CHECK-NEXT:        %v = memref.load
// CHECK-NEXT:        memref.store %v, %y[%k] : memref<?xf32, "global">
// CHECK-NEXT:        arith.maximumf %so_far, %v : f32
// CHECK-NOT:       cuda.warp_barrier
// CHECK:           memref.store %{{.*}}, %own[%zero] : memref<1xf32, "thread">

// -----

// Shared arrays get their places; those that a barrier parts share memory. Copies become vectors, of at most 16 bytes;
// words are copied one by one. The ring's ops stay.

block.body @copies threads 32 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %d: memref<?xf64, "weights">, %h: memref<?xf32, "words">,
     %w: memref<?xf32, "weights">):
  %zero = arith.constant 0 : index
  %all = arith.constant 32 : index
  %a = memref.alloca() : memref<4x32xf32, "shared">
  %b = memref.alloca() : memref<128xf64, "shared">
  %c = memref.alloca() : memref<8xf32, "thread">
  %inside = arith.cmpi slt, %task, %t : index
  block.parallel thread (%i) in %all {
    block.copy_async 4 %x[%i], %a[%zero, %i] if %inside : memref<?xf32, "global">, memref<4x32xf32, "shared">
  }
  block.commit_copies
  block.wait_copies 0
  block.barrier
  block.parallel thread (%i) in %all {
    block.copy 4 %a[%zero, %i], %c[%zero] : memref<4x32xf32, "shared">, memref<8xf32, "thread">
    block.copy 1 %a[%zero, %i], %c[%zero] : memref<4x32xf32, "shared">, memref<8xf32, "thread">
    block.copy 2 %h[%i], %c[%zero] : memref<?xf32, "words">, memref<8xf32, "thread">
  }
  block.barrier
  block.parallel thread (%i) in %all {
    block.copy 4 %d[%i], %b[%i] : memref<?xf64, "weights">, memref<128xf64, "shared">
  }
  %chunk = block.ring_wait : memref<8x32xf32, "shared">
  block.ring_release
  block.yield
} service {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %d: memref<?xf64, "weights">, %h: memref<?xf32, "words">,
     %w: memref<?xf32, "weights">):
  block.ring_push 256 %w[%task] : memref<?xf32, "weights">
  block.yield
}

// CHECK:       cuda.func @copies threads 32 scratch 1024 {
// CHECK:         %a = memref.alloca() {block.offset = 0 : i64} : memref<4x32xf32, "shared">
// CHECK-NEXT:    %b = memref.alloca() {block.offset = 0 : i64} : memref<128xf64, "shared">
// CHECK-NEXT:    %c = memref.alloca() : memref<8xf32, "thread">
// CHECK:         cuda.copy_async 4 %x[%thread], %a[%zero, %thread] if %inside :
// CHECK-NEXT:    cuda.commit_copies
// CHECK-NEXT:    cuda.wait_copies 0
// CHECK-NEXT:    cuda.barrier
// CHECK-NEXT:    cuda.copy 4 %a[%zero, %thread], %c[%zero] :
// CHECK-NEXT:    [[ONE:%.*]] = memref.load %a[%zero, %thread] :
// CHECK-NEXT:    memref.store [[ONE]], %c[%zero] :
// CHECK-NEXT:    [[H0:%.*]] = memref.load %h[%thread] : memref<?xf32, "words">
// CHECK:         [[H1:%.*]] = memref.load %h[{{.*}}] : memref<?xf32, "words">
// CHECK-NEXT:    memref.store [[H0]], %c[%zero] :
// CHECK:         memref.store [[H1]], %c[{{.*}}] :
// CHECK:         cuda.copy 2 %d[%thread], %b[%thread] :
// CHECK:         cuda.copy 2 %d[{{.*}}], %b[{{.*}}] :
// CHECK-NEXT:    %chunk = block.ring_wait : memref<8x32xf32, "shared">
// CHECK-NEXT:    block.ring_release
// CHECK-NEXT:    cuda.return
// CHECK:       cuda.func service @copies_service threads 32 scratch 0 {
// CHECK:         block.ring_push 256 %w[%task] : memref<?xf32, "weights">
// CHECK-NEXT:    cuda.return

// -----

// Lanes of a loop over threads combine what each has, pairwise: those 4, 8 and 16 apart.
// CHECK-LABEL: cuda.func @lanes
// CHECK:         scf.for
// CHECK:           %v = memref.load
// CHECK-NEXT:      %[[A:.*]] = cuda.shuffle xor 16 %v : f32
// CHECK-NEXT:      %[[B:.*]] = arith.addf %v, %[[A]] : f32
// CHECK-NEXT:      %[[C:.*]] = cuda.shuffle xor 8 %[[B]] : f32
// CHECK-NEXT:      %[[D:.*]] = arith.addf %[[B]], %[[C]] : f32
// CHECK-NEXT:      %[[E:.*]] = cuda.shuffle xor 4 %[[D]] : f32
// CHECK-NEXT:      %[[F:.*]] = arith.addf %[[D]], %[[E]] : f32
// CHECK-NEXT:      memref.store %[[F]]
block.body @lanes threads 64 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %n: index):
  block.parallel thread (%i) in %n {
    %v = memref.load %x[%i] : memref<?xf32, "global">
    %s = block.lane_reduce add %v over 8 step 4 : f32
    memref.store %s, %y[%i] : memref<?xf32, "global">
  }
  block.yield
}

// -----

// The steps stay: their text is a loop over those that a body is called for. What a thread keeps stands before them.
// CHECK-LABEL: cuda.func @stepped threads 64 scratch 0 {
// CHECK:         %v = memref.load %w[%thread]
// CHECK-NEXT:    memref.store %v, %kept[%zero]
// CHECK-NEXT:    block.steps (%t, %end) {
// CHECK-NEXT:      cuda.barrier
// CHECK-NEXT:      %row = arith.muli %t, %n : index
// CHECK-NEXT:      %at = arith.addi %row, %thread : index
// CHECK-NEXT:      %v_1 = memref.load %kept[%zero]
// CHECK-NEXT:      memref.store %v_1, %x[%at]
// CHECK-NEXT:    }
// CHECK-NEXT:    cuda.return
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

// -----

// Lanes are threads: products by tensor cores, and the rounding of their factors, have counterparts.

// CHECK-LABEL: cuda.func @tiles
// CHECK:         %f = cuda.round_tf32 %v
// CHECK-NEXT:    %s0, %s1, %s2, %s3 = cuda.mma tf32 [%f, %f, %f, %f] [%f, %f] [%v, %v, %v, %v]
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
