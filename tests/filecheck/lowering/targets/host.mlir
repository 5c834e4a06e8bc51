// RUN: rammer-opt %s -t host | filecheck %s
// RUN: rammer-opt %s -p convert-block-to-scf -t host | filecheck %s

// Memory spaces say how an array is read and written; copies are element by element; independent loops say so.

block.body @spaces threads 64 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %w: memref<?xf64, "weights">, %h: memref<?xf32, "words">,
     %p: memref<?xi32, "pinned">, %n: index):
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %all = arith.constant 64 : index
  %tile = memref.alloca() : memref<64xf32, "shared">
  %own = memref.alloca() : memref<4xf32, "thread">
  block.parallel thread (%i) in %all {
    %inside = arith.cmpi slt, %i, %n : index
    block.copy_async 1 %x[%i], %tile[%i] if %inside : memref<?xf32, "global">, memref<64xf32, "shared">
  }
  block.commit_copies
  block.wait_copies 0
  block.barrier
  block.parallel thread (%i) in %all {
    block.copy 2 %tile[%i], %own[%zero] : memref<64xf32, "shared">, memref<4xf32, "thread">
    %b = memref.load %w[%i] : memref<?xf64, "weights">
    %c = memref.load %h[%t] : memref<?xf32, "words">
    %d = memref.load %p[%one] : memref<?xi32, "pinned">
    %e = arith.truncf %b : f64 to f32
    %f = arith.sitofp %d : i32 to f32
    %g = arith.addf %e, %f : f32
    memref.store %g, %x[%task] : memref<?xf32, "global">
    memref.store %c, %h[%n] : memref<?xf32, "words">
  }
  block.yield
}

// CHECK:      extern "C" void spaces(rammer::Task* task) {
// CHECK-NEXT:   float* tile = reinterpret_cast<float*>(task->scratch + 0);
// CHECK-NEXT:   float own[256];
// CHECK-NEXT:   float* x = rammer::operand<float>(task, 0);
// CHECK-NEXT:   const int n = rammer::parameter(task, 0);
// CHECK-NEXT:   #pragma GCC ivdep
// CHECK-NEXT:   for (int i = 0; i < 64; ++i) {
// CHECK-NEXT:     if (i < n) {
// CHECK-NEXT:       const float value = rammer::load(x + i);
// CHECK-NEXT:       tile[i] = value;
// CHECK-NEXT:     } else {
// CHECK-NEXT:       tile[i] = 0.0f;
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT:   const int task_index = task->index;
// CHECK-NEXT:   const int t = task->iteration;
// CHECK-NEXT:   const double* w = rammer::operand<const double>(task, 1);
// CHECK-NEXT:   uint64_t* h = rammer::operand<uint64_t>(task, 2);
// CHECK-NEXT:   const int* p = rammer::operand<const int>(task, 3);
// CHECK-NEXT:   #pragma GCC ivdep
// CHECK-NEXT:   for (int i = 0; i < 64; ++i) {
// CHECK-NEXT:     const float value = tile[i];
// CHECK-NEXT:     const float value_2 = tile[i + 1];
// CHECK-NEXT:     own[i * 4] = value;
// CHECK-NEXT:     own[i * 4 + 1] = value_2;
// CHECK-NEXT:     const double b = rammer::load_weight(w + i);
// CHECK-NEXT:     const float c = rammer::load_word(task, h + t);
// CHECK-NEXT:     const int d = p[1];
// CHECK-NEXT:     x[task_index] = float(b) + float(d);
// CHECK-NEXT:     rammer::store_word(task, h + n, c);
// CHECK-NEXT:   }
// CHECK-NEXT: }

// Constants that C++ has no literals for, a loop that is not unrolled though it asks for it, the ring.

block.body @other threads 1 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">, %n: index):
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %start = arith.constant 0x7f800000 : f32
  %chunk = block.ring_wait : memref<4xf32, "shared">
  %low = scf.for %i = %zero to %n step %one iter_args(%a = %start) -> (f32) {
    %v = memref.load %chunk[%i] : memref<4xf32, "shared">
    %b = arith.minimumf %a, %v : f32
    scf.yield %b : f32
  } {block.unroll}
  block.ring_release
  memref.store %low, %y[%zero] : memref<?xf32, "global">
  block.yield
} service {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">, %n: index):
  %zero = arith.constant 0 : index
  block.ring_push 4 %w[%zero] : memref<?xf32, "weights">
  block.yield
}

// CHECK:      #ifndef RAMMER_BITS
// CHECK:      #ifndef RAMMER_MINIMUM
// CHECK:      extern "C" void other(rammer::Task* task) {
// CHECK-NEXT:   rammer::Ring ring(task);
// CHECK-NEXT:   const float* chunk = ring.wait<float>();
// CHECK-NEXT:   const int n = rammer::parameter(task, 0);
// CHECK-NEXT:   float low = rammer_bits<float>(0x7f800000u);
// CHECK-NEXT:   for (int i = 0; i < n; ++i) {
// CHECK-NEXT:     const float v = chunk[i];
// CHECK-NEXT:     low = rammer_minimum(low, v);
// CHECK-NEXT:   }
// CHECK-NEXT:   ring.release();
// CHECK-NEXT:   float* y = rammer::operand<float>(task, 1);
// CHECK-NEXT:   y[0] = low;
// CHECK-NEXT:   ring.close();
// CHECK-NEXT: }
// CHECK:      extern "C" void other_service(rammer::Task* task) {
// CHECK-NEXT:   const float* w = rammer::operand<const float>(task, 0);
// CHECK-NEXT:   rammer::ring_push(task, w, 16);
// CHECK-NEXT: }

// -----

// Vectors of a body for one thread: neighbours in memory, an element for all, and multiply-adds carried through a loop.
func.func @vectors(%task: index, %t: index, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">, %n: index) attributes {block.threads = 1 : i64, block.scratch_bytes = 64 : i64} {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %x = arith.constant 2.0 : f32
  %sums = memref.alloca() {block.offset = 0 : i64} : memref<16xf32, "shared">
  %start = vector.load %sums[%zero] : memref<16xf32, "shared">, vector<16xf32>
  %spread = vector.broadcast %x : f32 to vector<16xf32>
  %total = scf.for %i = %zero to %n step %one iter_args(%sum = %start) -> (vector<16xf32>) {
    %row = vector.load %w[%i] : memref<?xf32, "weights">, vector<16xf32>
    %next = vector.fma %spread, %row, %sum : vector<16xf32>
    scf.yield %next : vector<16xf32>
  }
  vector.store %total, %y[%n] : memref<?xf32, "global">, vector<16xf32>
  func.return
}

// CHECK:      extern "C" void vectors(rammer::Task* task) {
// CHECK-NEXT:   float* sums = reinterpret_cast<float*>(task->scratch + 0);
// CHECK-NEXT:   const rammer::Vector<16> start = rammer::load_vector<16>(sums);
// CHECK-NEXT:   const rammer::Vector<16> spread = rammer::broadcast<16>(2.0f);
// CHECK:        rammer::Vector<16> total = start;
// CHECK-NEXT:   for (int i = 0; i < n; ++i) {
// CHECK-NEXT:     const rammer::Vector<16> row = rammer::load_vector<16>(w + i);
// CHECK-NEXT:     const rammer::Vector<16> next = spread * row + total;
// CHECK-NEXT:     total = next;
// CHECK-NEXT:   }
// CHECK-NEXT:   float* y = rammer::operand<float>(task, 1);
// CHECK-NEXT:   rammer::store_vector(y + n, total);
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

// CHECK:      extern "C" void stepped(rammer::Task* task) {
// CHECK:        for (int t = task->iteration, end = task->iteration + task->steps; t < end; ++t) {
// CHECK:          for (int i = 0; i < 64; ++i) {
// CHECK:            x[(t * 64) + i] = v;
// CHECK:          }
// CHECK-NEXT:   }
// CHECK-NEXT: }
