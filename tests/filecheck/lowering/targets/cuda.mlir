// RUN: rammer-opt %s -t cuda | filecheck %s
// RUN: rammer-opt %s -p convert-block-to-cuda -t 'cuda{arch=sm_80}' | filecheck %s

// Memory spaces say how an array is read and written. Names are made fit for C; a name is free again behind its scope.

block.body @spaces threads 64 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %w: memref<?xf64, "weights">, %h: memref<?xf32, "words">,
     %p: memref<?xi32, "pinned">, %y: memref<?xf32, "global">, %int: index, %N$1: index):
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %all = arith.constant 64 : index
  %tile = memref.alloca() : memref<8x8xf32, strided<[12, 1]>, "shared">
  %own = memref.alloca() : memref<2x4xf32, "thread">
  block.parallel thread (%i) in %all {
    %a = memref.load %x[%i] : memref<?xf32, "global">
    %b = memref.load %w[%zero] : memref<?xf64, "weights">
    %c = memref.load %h[%t] : memref<?xf32, "words">
    %d = memref.load %p[%N$1] : memref<?xi32, "pinned">
    %unused = memref.load %x[%one] : memref<?xf32, "global">
    %waited = memref.load %h[%one] : memref<?xf32, "words">
    %e = arith.truncf %b : f64 to f32
    %f = arith.sitofp %d : i32 to f32
    %g = arith.addf %e, %f : f32
    memref.store %g, %tile[%one, %i] : memref<8x8xf32, strided<[12, 1]>, "shared">
    memref.store %a, %own[%one, %one] : memref<2x4xf32, "thread">
    memref.store %c, %h[%int] : memref<?xf32, "words">
    memref.store %c, %y[%i] : memref<?xf32, "global">
  }
  block.yield
}

// CHECK:      extern "C" __device__ void spaces(rammer::Task* task) {
// CHECK-NEXT:   const int thread = rammer::thread();
// CHECK-NEXT:   float* tile = rammer::scratch<float>(task, 0);
// CHECK-NEXT:   float own[8];
// CHECK-NEXT:   const float* x = rammer::operand<const float>(task, 0);
// CHECK-NEXT:   const float a = rammer::load(x + thread);
// CHECK-NEXT:   const double* w = rammer::operand<const double>(task, 1);
// CHECK-NEXT:   const double b = rammer::load_weight(w);
// CHECK-NEXT:   const int t = task->iteration;
// CHECK-NEXT:   rammer::Word* h = rammer::operand<rammer::Word>(task, 2);
// CHECK-NEXT:   const float c = rammer::load_word(task, h + t);
// CHECK-NEXT:   const int* p = rammer::pinned<const int>(task, 3);
// CHECK-NEXT:   const int n_1 = rammer::parameter(task, 1);
// CHECK-NEXT:   const int d = p[n_1];
// CHECK-NEXT:   rammer::load_word(task, h + 1);
// CHECK-NEXT:   tile[thread + 12] = float(b) + float(d);
// CHECK-NEXT:   own[5] = a;
// CHECK-NEXT:   const int int_2 = rammer::parameter(task, 0);
// CHECK-NEXT:   rammer::store_word(task, h + int_2, c);
// CHECK-NEXT:   float* y = rammer::operand<float>(task, 4);
// CHECK-NEXT:   y[thread] = c;
// CHECK-NEXT: }

// Loops, branches, carried values (all of them computed before any changes), unrolling, vectors, asynchronous copies.

block.body @control threads 64 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %n: index):
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %two = arith.constant 2 : index
  %all = arith.constant 64 : index
  %tile = memref.alloca() : memref<64x4xf32, "shared">
  %own = memref.alloca() : memref<4xf32, "thread">
  block.parallel thread (%i) in %all {
    %inside = arith.cmpi ult, %i, %n : index
    block.copy_async 4 %x[%i], %tile[%i, %zero] if %inside : memref<?xf32, "global">, memref<64x4xf32, "shared">
    block.copy_async 1 %x[%i], %tile[%i, %one] : memref<?xf32, "global">, memref<64x4xf32, "shared">
  }
  block.commit_copies
  block.wait_copies 0
  block.barrier
  block.parallel thread (%i) in %all {
    block.copy 4 %tile[%i, %zero], %own[%zero] : memref<64x4xf32, "shared">, memref<4xf32, "thread">
    %start = arith.constant 1.0 : f32
    %other = arith.constant 0xff800000 : f32
    %first, %second = scf.for %k = %zero to %n step %two iter_args(%a = %start, %b = %other) -> (f32, f32) {
      %sum = arith.addf %a, %b : f32
      scf.yield %b, %sum : f32, f32
    } {block.unroll = 4 : i64}
    %third = scf.for %k = %zero to %two step %one iter_args(%a = %first) -> (f32) {
      %next = arith.maximumf %a, %second : f32
      scf.yield %next : f32
    } {block.unroll}
    %condition = arith.cmpf ogt, %third, %start : f32
    %chosen = scf.if %condition -> (f32) {
      %v = memref.load %own[%one] : memref<4xf32, "thread">
      scf.yield %v : f32
    } else {
      scf.yield %third : f32
    }
    memref.store %chosen, %own[%zero] : memref<4xf32, "thread">
    block.copy 2 %own[%zero], %y[%i] : memref<4xf32, "thread">, memref<?xf32, "global">
  }
  block.yield
}

// CHECK:      extern "C" __device__ void control(rammer::Task* task) {
// CHECK-NEXT:   const int thread = rammer::thread();
// CHECK-NEXT:   float* tile = rammer::scratch<float>(task, 0);
// CHECK-NEXT:   float own[4];
// CHECK-NEXT:   const int n = rammer::parameter(task, 0);
// CHECK-NEXT:   const float* x = rammer::operand<const float>(task, 0);
// CHECK-NEXT:   rammer::copy_async<16>(tile + (thread * 4), x + thread, unsigned(thread) < unsigned(n));
// CHECK-NEXT:   rammer::copy_async<4>(tile + (thread * 4 + 1), x + thread, true);
// CHECK-NEXT:   rammer::commit_copies();
// CHECK-NEXT:   rammer::wait_copies<0>();
// CHECK-NEXT:   rammer::barrier();
// CHECK-NEXT:   const float4 piece = *reinterpret_cast<const float4*>(tile + (thread * 4));
// CHECK-NEXT:   own[0] = piece.x;
// CHECK-NEXT:   own[1] = piece.y;
// CHECK-NEXT:   own[2] = piece.z;
// CHECK-NEXT:   own[3] = piece.w;
// CHECK-NEXT:   float first = 1.0f;
// CHECK-NEXT:   float second = __int_as_float(0xff800000);
// CHECK-NEXT:   #pragma unroll 4
// CHECK-NEXT:   for (int k = 0; k < n; k += 2) {
// CHECK-NEXT:     const float next_first = second;
// CHECK-NEXT:     const float next_second = first + second;
// CHECK-NEXT:     first = next_first;
// CHECK-NEXT:     second = next_second;
// CHECK-NEXT:   }
// CHECK-NEXT:   float third = first;
// CHECK-NEXT:   #pragma unroll
// CHECK-NEXT:   for (int k = 0; k < 2; ++k) {
// CHECK-NEXT:     third = rammer_maximum(third, second);
// CHECK-NEXT:   }
// CHECK-NEXT:   float chosen;
// CHECK-NEXT:   if (third > 1.0f) {
// CHECK-NEXT:     const float v = own[1];
// CHECK-NEXT:     chosen = v;
// CHECK-NEXT:   } else {
// CHECK-NEXT:     chosen = third;
// CHECK-NEXT:   }
// CHECK-NEXT:   own[0] = chosen;
// CHECK-NEXT:   float* y = rammer::operand<float>(task, 1);
// CHECK-NEXT:   const float2 piece_2 = make_float2(own[0], own[1]);
// CHECK-NEXT:   *reinterpret_cast<float2*>(y + thread) = piece_2;
// CHECK-NEXT: }

// The ring.

block.body @ring threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">):
  %two = arith.constant 2 : index
  block.parallel warp (%i) in %two {
    %v = block.warp_reduce add (%k) in %two -> f32 {
      %u = memref.load %w[%k] : memref<?xf32, "weights">
      block.yield %u : f32
    }
    memref.store %v, %y[%i] : memref<?xf32, "global">
  }
  %chunk = block.ring_wait : memref<8x4xf32, "shared">
  block.parallel thread (%i) in %two {
    %v = memref.load %chunk[%two, %i] : memref<8x4xf32, "shared">
    memref.store %v, %y[%i] : memref<?xf32, "global">
  }
  block.ring_release
  block.yield
} service {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">):
  block.ring_push 32 %w[%task] : memref<?xf32, "weights">
  block.yield
}

// CHECK:      extern "C" __device__ void ring(rammer::Task* task) {
// CHECK-NEXT:   rammer::Ring ring(task);
// CHECK-NEXT:   const int thread = rammer::thread();
// CHECK-NEXT:   const int warp = rammer::thread() / 32;
// CHECK-NEXT:   const int lane = rammer::thread() % 32;
// CHECK-NEXT:   const bool is_first_lane = lane == 0;
// CHECK-NEXT:   const float* w = rammer::operand<const float>(task, 0);
// CHECK-NEXT:   float* y = rammer::operand<float>(task, 1);
// CHECK-NEXT:   for (int i = warp; i < 2; ++i) {
// CHECK-NEXT:     float v = 0.0f;
// CHECK-NEXT:     for (int k = lane; k < 2; k += 32) {
// CHECK-NEXT:       const float u = rammer::load_weight(w + k);
// CHECK-NEXT:       v = v + u;
// CHECK-NEXT:     }
// CHECK-NEXT:     const float other = __shfl_xor_sync(0xffffffffu, v, 16);
// CHECK-NEXT:     const float v_2 = v + other;
// CHECK-NEXT:     const float other_2 = __shfl_xor_sync(0xffffffffu, v_2, 8);
// CHECK-NEXT:     const float v_3 = v_2 + other_2;
// CHECK-NEXT:     const float other_3 = __shfl_xor_sync(0xffffffffu, v_3, 4);
// CHECK-NEXT:     const float v_4 = v_3 + other_3;
// CHECK-NEXT:     const float other_4 = __shfl_xor_sync(0xffffffffu, v_4, 2);
// CHECK-NEXT:     const float v_5 = v_4 + other_4;
// CHECK-NEXT:     const float other_5 = __shfl_xor_sync(0xffffffffu, v_5, 1);
// CHECK-NEXT:     const float v_6 = v_5 + other_5;
// CHECK-NEXT:     if (is_first_lane) {
// CHECK-NEXT:       y[i] = v_6;
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT:   const float* chunk = ring.wait<float>();
// CHECK-NEXT:   if (thread < 2) {
// CHECK-NEXT:     const float v = chunk[thread + 8];
// CHECK-NEXT:     y[thread] = v;
// CHECK-NEXT:   }
// CHECK-NEXT:   ring.release();
// CHECK-NEXT:   ring.close();
// CHECK-NEXT: }
// CHECK:      extern "C" __device__ void ring_service(rammer::Task* task) {
// CHECK-NEXT:   const int task_index = task->index;
// CHECK-NEXT:   const float* w = rammer::operand<const float>(task, 0);
// CHECK-NEXT:   rammer::ring_push(task, w + task_index, 128);
// CHECK-NEXT: }

// A body that is called for several steps at once.

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

// CHECK:      extern "C" __device__ void stepped(rammer::Task* task) {
// CHECK:        kept[0] = v;
// CHECK:        float* x = rammer::operand<float>(task, 1);
// CHECK-NEXT:   for (int t = task->iteration, end = task->iteration + task->steps; t < end; ++t) {
// CHECK-NEXT:     rammer::barrier();
// CHECK-NEXT:     const float v_2 = kept[0];
// CHECK-NEXT:     x[(t * 64) + thread] = v_2;
// CHECK-NEXT:   }
// CHECK-NEXT: }

// What may be approximated is.

block.body @approximate threads 32 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">):
  %n = arith.constant 32 : index
  block.parallel thread (%i) in %n {
    %v = memref.load %x[%i] : memref<?xf32, "global">
    %e = math.exp %v fastmath<afn> : f32
    %d = arith.divf %v, %e fastmath<afn> : f32
    %h = math.tanh %d fastmath<afn> : f32
    memref.store %h, %x[%i] : memref<?xf32, "global">
  }
  block.yield
}

// CHECK: float rammer_approximate_tanh(float x) {
// CHECK: extern "C" __device__ void approximate(rammer::Task* task) {
// CHECK:   x[thread] = rammer_approximate_tanh(__fdividef(v, __expf(v)));
