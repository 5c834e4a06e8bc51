// RUN: RAMMER_INVALID

// CHECK: a function needs at least one thread, got 0
cuda.func @f threads 0 scratch 0 {
^bb0(%task: index, %t: index):
  cuda.return
}

// -----

// CHECK: scratch memory must not be negative, got -4
cuda.func @f threads 1 scratch -4 {
^bb0(%task: index, %t: index):
  cuda.return
}

// -----

// CHECK: a function takes the task index and the loop index first
cuda.func @f threads 1 scratch 0 {
^bb0(%task: index):
  cuda.return
}

// -----

// CHECK: a function must end with cuda.return
cuda.func @f threads 1 scratch 0 {
^bb0(%task: index, %t: index):
  "test.termop"() : () -> ()
}

// -----

// CHECK: 'cuda.return' expects parent op 'cuda.func'
cuda.return

// -----

// CHECK: the service role has no threads, warps and barriers of the compute role
cuda.func service @f_service threads 1 scratch 0 {
^bb0(%task: index, %t: index):
  cuda.barrier
  cuda.return
}

// -----

// CHECK: attribute f32 expected from variable
%x = "test.op"() : () -> f32
%y = "cuda.shuffle"(%x) <{lane_mask = 1 : i64}> : (f32) -> i32

// -----

// CHECK: values of 1 to 64 bits are shuffled, not i7
%x = "test.op"() : () -> i7
%y = cuda.shuffle xor 1 %x : i7

// -----

// CHECK: lanes differ by 1 to 31, not by 32
%x = "test.op"() : () -> f32
%y = cuda.shuffle xor 32 %x : f32

// -----

// CHECK: 2 or 4 elements are copied at once, not 3
%i, %a, %b = "test.op"() : () -> (index, memref<8xf32, "shared">, memref<8xf32, "thread">)
cuda.copy 3 %a[%i], %b[%i] : memref<8xf32, "shared">, memref<8xf32, "thread">

// -----

// CHECK: 1 indices for memref<8x8xf32, "shared">
%i, %a, %b = "test.op"() : () -> (index, memref<8x8xf32, "shared">, memref<8xf32, "thread">)
cuda.copy 4 %a[%i], %b[%i] : memref<8x8xf32, "shared">, memref<8xf32, "thread">

// -----

// CHECK: a copy does not convert f32 to i32
%i, %a, %b = "test.op"() : () -> (index, memref<8xf32, "shared">, memref<8xi32, "thread">)
cuda.copy 4 %a[%i], %b[%i] : memref<8xf32, "shared">, memref<8xi32, "thread">

// -----

// CHECK: words are loaded and stored one by one
%i, %a, %b = "test.op"() : () -> (index, memref<8xf32, "words">, memref<8xf32, "thread">)
cuda.copy 4 %a[%i], %b[%i] : memref<8xf32, "words">, memref<8xf32, "thread">

// -----

// CHECK: an asynchronous copy is 4 or 16 bytes, not 8
%i, %a, %b = "test.op"() : () -> (index, memref<8xf32, "global">, memref<8xf32, "shared">)
cuda.copy_async 2 %a[%i], %b[%i] : memref<8xf32, "global">, memref<8xf32, "shared">

// -----

// CHECK: an asynchronous copy comes from global memory
%i, %a, %b = "test.op"() : () -> (index, memref<8xf32, "pinned">, memref<8xf32, "shared">)
cuda.copy_async 4 %a[%i], %b[%i] : memref<8xf32, "pinned">, memref<8xf32, "shared">

// -----

// CHECK: an asynchronous copy goes to shared memory
%i, %a, %b = "test.op"() : () -> (index, memref<8xf32, "global">, memref<8xf32, "thread">)
cuda.copy_async 4 %a[%i], %b[%i] : memref<8xf32, "global">, memref<8xf32, "thread">

// -----

// CHECK: the number of pending groups must not be negative, got -1
cuda.wait_copies -1

// -----

// CHECK: a lane has four factors X, two factors W and four sums
%v = "test.op"() : () -> f32
%s:4 = cuda.mma tf32 [%v, %v, %v, %v] [%v, %v] [%v]

// -----

// CHECK: the service role has no threads, warps and barriers of the compute role
cuda.func service @tiles threads 32 scratch 0 {
^bb0(%task: index, %t: index):
  %v = arith.constant 1.0 : f32
  %s:4 = cuda.mma tf32 [%v, %v, %v, %v] [%v, %v] [%v, %v, %v, %v]
  cuda.return
}
