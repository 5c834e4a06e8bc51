// RUN: RAMMER_ROUNDTRIP

// A row's sum by each warp, its input staged in shared memory.
cuda.func @row_sums threads 128 scratch 2048 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %n: index):
  %thread = cuda.thread_index
  %warp = cuda.warp_index
  %lane = cuda.lane_index
  %tile = memref.alloca() {block.offset = 0 : i64} : memref<512xf32, "shared">
  %piece = memref.alloca() : memref<4xf32, "thread">
  %inside = arith.cmpi slt, %thread, %n : index
  %zero = arith.constant 0 : index
  cuda.copy_async 1 %x[%thread], %tile[%thread] if %inside : memref<?xf32, "global">, memref<512xf32, "shared">
  cuda.copy_async 4 %x[%thread], %tile[%thread] : memref<?xf32, "global">, memref<512xf32, "shared">
  cuda.commit_copies
  cuda.wait_copies 0
  cuda.barrier
  cuda.copy 4 %tile[%lane], %piece[%zero] : memref<512xf32, "shared">, memref<4xf32, "thread">
  %a = memref.load %piece[%zero] : memref<4xf32, "thread">
  %b = cuda.shuffle xor 16 %a : f32
  %sum = arith.addf %a, %b : f32
  %f = cuda.round_tf32 %a
  %s0, %s1, %s2, %s3 = cuda.mma tf32 [%f, %f, %f, %f] [%f, %f] [%a, %a, %a, %a] attributes {note}
  cuda.warp_barrier
  memref.store %sum, %y[%warp] : memref<?xf32, "global">
  cuda.return
}

cuda.func service @row_sums_service threads 128 scratch 0 attributes {note} {
^bb0(%task: index, %t: index):
  cuda.return
}

// CHECK:       cuda.func @row_sums threads 128 scratch 2048 {
// CHECK-NEXT:  ^bb{{[0-9]+}}(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %n: index):
// CHECK-NEXT:    %thread = cuda.thread_index
// CHECK-NEXT:    %warp = cuda.warp_index
// CHECK-NEXT:    %lane = cuda.lane_index
// CHECK:         cuda.copy_async 1 %x[%thread], %tile[%thread] if %inside : memref<?xf32, "global">, memref<512xf32, "shared">
// CHECK-NEXT:    cuda.copy_async 4 %x[%thread], %tile[%thread] : memref<?xf32, "global">, memref<512xf32, "shared">
// CHECK-NEXT:    cuda.commit_copies
// CHECK-NEXT:    cuda.wait_copies 0
// CHECK-NEXT:    cuda.barrier
// CHECK-NEXT:    cuda.copy 4 %tile[%lane], %piece[%zero] : memref<512xf32, "shared">, memref<4xf32, "thread">
// CHECK-NEXT:    %a = memref.load
// CHECK-NEXT:    %b = cuda.shuffle xor 16 %a : f32
// CHECK-NEXT:    %sum = arith.addf
// CHECK-NEXT:    %f = cuda.round_tf32 %a
// CHECK-NEXT:    %s0, %s1, %s2, %s3 = cuda.mma tf32 [%f, %f, %f, %f] [%f, %f] [%a, %a, %a, %a] attributes {note}
// CHECK-NEXT:    cuda.warp_barrier
// CHECK-NEXT:    memref.store
// CHECK-NEXT:    cuda.return
// CHECK:       cuda.func service @row_sums_service threads 128 scratch 0 attributes {note} {
