// RUN: RAMMER_INVALID

// CHECK: Expected `thread`, or `warp`
"test.op"() {l = #block<level lane>} : () -> ()

// -----

// CHECK: 'block.yield' expects parent op to be one of 'block.body', 'block.parallel', 'block.steps', 'block.warp_reduce'
block.yield

// -----

// CHECK: a body needs at least one thread, got 0
block.body @b threads 0 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.yield
}

// -----

// CHECK: the regions of a body must end with block.yield, without a value
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  "test.termop"() : () -> ()
}

// -----

// CHECK: the regions of a body must end with block.yield, without a value
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.yield %n : index
}

// -----

// CHECK: both regions of a body must take the same arguments
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.yield
} service {
^bb1(%task: index, %t: index):
  block.yield
}

// -----

// CHECK: a body takes the task index and the loop index first
block.body @b threads 32 {
^bb0(%task: index):
  block.yield
}

// -----

// CHECK: a body takes the task index and the loop index first
block.body @b threads 32 {
^bb0(%task: index, %x: memref<?xf32, "global">):
  block.yield
}

// -----

// CHECK: the operands of a body stand before its parameters
block.body @b threads 32 {
^bb0(%task: index, %t: index, %n: index, %x: memref<?xf32, "global">):
  block.yield
}

// -----

// CHECK: parameters of a body must be of type index
block.body @b threads 32 {
^bb0(%task: index, %t: index, %n: i32):
  block.yield
}

// -----

// CHECK: operand memref<?x4xf32, "global"> of a body must be one-dimensional, in a space of the program
block.body @b threads 32 {
^bb0(%task: index, %t: index, %x: memref<?x4xf32, "global">):
  block.yield
}

// -----

// CHECK: operand memref<?xf32, "shared"> of a body must be one-dimensional, in a space of the program
block.body @b threads 32 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "shared">):
  block.yield
}

// -----

// CHECK: operand memref<?xf32, "thread"> of a body must be one-dimensional, in a space of the program
block.body @b threads 32 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "thread">):
  block.yield
}

// -----

// CHECK: operand memref<?xf32> of a body must be one-dimensional, in a space of the program
block.body @b threads 32 {
^bb0(%task: index, %t: index, %x: memref<?xf32>):
  block.yield
}

// -----

// CHECK: operand memref<?xf32, "other"> of a body must be one-dimensional, in a space of the program
block.body @b threads 32 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "other">):
  block.yield
}

// -----

// CHECK: a parallel loop has one index
%n = "test.op"() : () -> index
"block.parallel"(%n) <{level = #block<level thread>}> ({
^bb0(%i: i32):
  block.yield
}) : (index) -> ()

// -----

// CHECK: a parallel loop must end with block.yield, without a value
%n = "test.op"() : () -> index
"block.parallel"(%n) <{level = #block<level thread>}> ({
^bb0(%i: index):
  block.yield %i : index
}) : (index) -> ()

// -----

// CHECK: a parallel loop must end with block.yield, without a value
%n = "test.op"() : () -> index
"block.parallel"(%n) <{level = #block<level thread>}> ({
^bb0(%i: index):
  "test.termop"() : () -> ()
}) : (index) -> ()

// -----

// CHECK: parallel loops do not nest
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.parallel warp (%i) in %n {
    block.parallel thread (%j) in %n {
    }
  }
  block.yield
}

// -----

// CHECK: block.parallel is for the compute role: it stands in a service region
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.yield
} service {
^bb1(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.parallel thread (%i) in %n {
  }
  block.yield
}

// -----

// CHECK: a reduction needs a combiner, got mean
%n = "test.op"() : () -> index
block.parallel warp (%i) in %n {
  %s = "block.warp_reduce"(%n) <{combiner = "mean"}> ({
  ^bb0(%k: index):
    %v = arith.constant 1.0 : f32
    block.yield %v : f32
  }) : (index) -> f32
}

// -----

// CHECK: a reduction needs a combiner, got none
%n = "test.op"() : () -> index
block.parallel warp (%i) in %n {
  %s = "block.warp_reduce"(%n) <{combiner = "none"}> ({
  ^bb0(%k: index):
    %v = arith.constant 1.0 : f32
    block.yield %v : f32
  }) : (index) -> f32
}

// -----

// CHECK: a warp reduction has one index
%n = "test.op"() : () -> index
block.parallel warp (%i) in %n {
  %s = "block.warp_reduce"(%n) <{combiner = "add"}> ({
  ^bb0(%k: i32):
    %v = arith.constant 1.0 : f32
    block.yield %v : f32
  }) : (index) -> f32
}

// -----

// CHECK: a warp reduction must yield one value of its result's type
%n = "test.op"() : () -> index
block.parallel warp (%i) in %n {
  %s = "block.warp_reduce"(%n) <{combiner = "add"}> ({
  ^bb0(%k: index):
    block.yield %k : index
  }) : (index) -> f32
}

// -----

// CHECK: a warp reduction must yield one value of its result's type
%n = "test.op"() : () -> index
block.parallel warp (%i) in %n {
  %s = "block.warp_reduce"(%n) <{combiner = "add"}> ({
  ^bb0(%k: index):
    block.yield
  }) : (index) -> f32
}

// -----

// CHECK: block.warp_reduce stands outside a warp-level parallel loop
%n = "test.op"() : () -> index
block.parallel thread (%i) in %n {
  %s = "block.warp_reduce"(%n) <{combiner = "add"}> ({
  ^bb0(%k: index):
    %v = arith.constant 1.0 : f32
    block.yield %v : f32
  }) : (index) -> f32
}

// -----

// CHECK: block.warp_reduce stands outside a warp-level parallel loop
%n = "test.op"() : () -> index
%s = block.warp_reduce add (%k) in %n -> f32 {
  %v = arith.constant 1.0 : f32
  block.yield %v : f32
}

// -----

// CHECK: reductions by a warp do not nest
%n = "test.op"() : () -> index
block.parallel warp (%i) in %n {
  %s = "block.warp_reduce"(%n) <{combiner = "add"}> ({
  ^bb0(%k: index):
    %v = block.warp_reduce add (%l) in %n -> f32 {
      %w = arith.constant 1.0 : f32
      block.yield %w : f32
    }
    block.yield %v : f32
  }) : (index) -> f32
}

// -----

// CHECK: block.barrier inside a parallel loop would not be reached by all threads
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.parallel thread (%i) in %n {
    block.barrier
  }
  block.yield
}

// -----

// CHECK: block.barrier is for the compute role: it stands in a service region
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.yield
} service {
^bb1(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.barrier
  block.yield
}

// -----

// CHECK: block.commit_copies inside a parallel loop would not be reached by all threads
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.parallel thread (%i) in %n {
    block.commit_copies
  }
  block.yield
}

// -----

// CHECK: block.commit_copies is for the compute role: it stands in a service region
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.yield
} service {
^bb1(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.commit_copies
  block.yield
}

// -----

// CHECK: block.wait_copies inside a parallel loop would not be reached by all threads
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.parallel thread (%i) in %n {
    block.wait_copies 0
  }
  block.yield
}

// -----

// CHECK: block.wait_copies is for the compute role: it stands in a service region
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.yield
} service {
^bb1(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.wait_copies 0
  block.yield
}

// -----

// CHECK: block.ring_release inside a parallel loop would not be reached by all threads
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.parallel thread (%i) in %n {
    block.ring_release
  }
  block.yield
}

// -----

// CHECK: block.ring_release is for the compute role: it stands in a service region
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.yield
} service {
^bb1(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.ring_release
  block.yield
}

// -----

// CHECK: block.ring_wait inside a parallel loop would not be reached by all threads
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.parallel thread (%i) in %n {
    %c = block.ring_wait : memref<4x4xf32, "shared">
  }
  block.yield
}

// -----

// CHECK: block.ring_wait is for the compute role: it stands in a service region
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.yield
} service {
^bb1(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  %c = block.ring_wait : memref<4x4xf32, "shared">
  block.yield
}

// -----

// CHECK: 1, 2 or 4 elements are copied at once, not 3
%i, %p, %a, %b = "test.op"() : () -> (index, i1, memref<8xf32, "shared">, memref<8xf32, "thread">)
block.copy 3 %a[%i], %b[%i] : memref<8xf32, "shared">, memref<8xf32, "thread">

// -----

// CHECK: 1 indices for memref<8x8xf32, "shared">
%i, %p, %a, %b = "test.op"() : () -> (index, i1, memref<8x8xf32, "shared">, memref<8xf32, "thread">)
block.copy 4 %a[%i], %b[%i] : memref<8x8xf32, "shared">, memref<8xf32, "thread">

// -----

// CHECK: 0 indices for memref<f32, "thread">
%i, %p, %a, %b = "test.op"() : () -> (index, i1, memref<8xf32, "shared">, memref<f32, "thread">)
block.copy 1 %a[%i], %b[] : memref<8xf32, "shared">, memref<f32, "thread">

// -----

// CHECK: 4 neighbours do not fit into the rows of memref<8x2xf32, "thread">
%i, %p, %a, %b = "test.op"() : () -> (index, i1, memref<8xf32, "shared">, memref<8x2xf32, "thread">)
block.copy 4 %a[%i], %b[%i, %i] : memref<8xf32, "shared">, memref<8x2xf32, "thread">

// -----

// CHECK: a copy does not convert f32 to i32
%i, %p, %a, %b = "test.op"() : () -> (index, i1, memref<8xf32, "shared">, memref<8xi32, "thread">)
block.copy 4 %a[%i], %b[%i] : memref<8xf32, "shared">, memref<8xi32, "thread">

// -----

// CHECK: 1, 2 or 4 elements are copied at once, not 8
%i, %p, %a, %b = "test.op"() : () -> (index, i1, memref<8xf32, "global">, memref<8xf32, "shared">)
block.copy_async 8 %a[%i], %b[%i] : memref<8xf32, "global">, memref<8xf32, "shared">

// -----

// CHECK: 1 or 4 elements are copied asynchronously, not 2
%i, %p, %a, %b = "test.op"() : () -> (index, i1, memref<8xf32, "global">, memref<8xf32, "shared">)
block.copy_async 2 %a[%i], %b[%i] : memref<8xf32, "global">, memref<8xf32, "shared">

// -----

// CHECK: an asynchronous copy comes from global memory
%i, %p, %a, %b = "test.op"() : () -> (index, i1, memref<8xf32, "words">, memref<8xf32, "shared">)
block.copy_async 4 %a[%i], %b[%i] : memref<8xf32, "words">, memref<8xf32, "shared">

// -----

// CHECK: an asynchronous copy comes from global memory
%i, %p, %a, %b = "test.op"() : () -> (index, i1, memref<8xf32, "pinned">, memref<8xf32, "shared">)
block.copy_async 4 %a[%i], %b[%i] : memref<8xf32, "pinned">, memref<8xf32, "shared">

// -----

// CHECK: an asynchronous copy comes from global memory
%i, %p, %a, %b = "test.op"() : () -> (index, i1, memref<8xf32, "shared">, memref<8xf32, "shared">)
block.copy_async 4 %a[%i], %b[%i] : memref<8xf32, "shared">, memref<8xf32, "shared">

// -----

// CHECK: an asynchronous copy comes from global memory
%i, %p, %a, %b = "test.op"() : () -> (index, i1, memref<8xf32>, memref<8xf32, "shared">)
block.copy_async 4 %a[%i], %b[%i] : memref<8xf32>, memref<8xf32, "shared">

// -----

// CHECK: an asynchronous copy goes to shared memory
%i, %p, %a, %b = "test.op"() : () -> (index, i1, memref<8xf32, "global">, memref<8xf32, "thread">)
block.copy_async 4 %a[%i], %b[%i] : memref<8xf32, "global">, memref<8xf32, "thread">

// -----

// CHECK: block.copy_async is for the compute role: it stands in a service region
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.yield
} service {
^bb1(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  %s = memref.alloca() : memref<8xf32, "shared">
  block.copy_async 1 %w[%n], %s[%n] : memref<?xf32, "weights">, memref<8xf32, "shared">
  block.yield
}

// -----

// CHECK: the number of pending groups must not be negative, got -1
block.wait_copies -1

// -----

// CHECK: only weights go through the ring: nothing else is there ahead of all waits
%i, %x = "test.op"() : () -> (index, memref<?xf32, "global">)
block.ring_push 4 %x[%i] : memref<?xf32, "global">

// -----

// CHECK: a chunk has at least one element, got 0
%i, %x = "test.op"() : () -> (index, memref<?xf32, "weights">)
block.ring_push 0 %x[%i] : memref<?xf32, "weights">

// -----

// CHECK: weights have one address each, not memref<?x4xf32, "weights">
%i, %x = "test.op"() : () -> (index, memref<?x4xf32, "weights">)
block.ring_push 4 %x[%i] : memref<?x4xf32, "weights">

// -----

// CHECK: block.ring_push stands outside a service region
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.ring_push 4 %w[%n] : memref<?xf32, "weights">
  block.yield
}

// -----

// CHECK: block.ring_push stands outside a service region
block.body @b threads 32 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.ring_push 4 %w[%n] : memref<?xf32, "weights">
  block.yield
} service {
^bb1(%task: index, %t: index, %w: memref<?xf32, "weights">, %n: index):
  block.yield
}

// -----

// CHECK: a slot of the ring lies in shared memory
%c = block.ring_wait : memref<4xf32, "thread">

// -----

// CHECK: a chunk of the ring has a static shape
%c = block.ring_wait : memref<?xf32, "shared">

// -----

// CHECK: a reduction needs a combiner, got none
%v = "test.op"() : () -> f32
%s = "block.lane_reduce"(%v) <{combiner = "none", lanes = 32, step = 1}> : (f32) -> f32

// -----

// CHECK: lanes and step must be powers of two, got 6 and 1
%v = "test.op"() : () -> f32
%s = block.lane_reduce add %v over 6 step 1 : f32

// -----

// CHECK: 16 lanes with step 4 are in no warp of 32
%v = "test.op"() : () -> f32
%s = block.lane_reduce add %v over 16 step 4 : f32

// -----

// CHECK: block.lane_reduce stands right in a thread-level parallel loop: all come to it
%n = "test.op"() : () -> index
block.parallel warp (%i) in %n {
  %v = arith.constant 1.0 : f32
  %s = block.lane_reduce add %v over 32 step 1 : f32
}

// -----

// CHECK: block.steps stands last in the compute region of a body
block.body @before threads 32 {
^bb0(%task: index, %unused: index):
  block.steps (%t, %end) {
  }
  block.barrier
  block.yield
}

// -----

// CHECK: block.steps stands last in the compute region of a body
block.body @inside threads 32 {
^bb0(%task: index, %unused: index):
  %n = arith.constant 32 : index
  block.parallel thread (%i) in %n {
    block.steps (%t, %end) {
    }
  }
  block.yield
}

// -----

// CHECK: block.steps has the index of a step, and that behind the last one
"block.steps"() ({
  block.yield
}) : () -> ()

// -----

// CHECK: block.steps must end with block.yield, without a value
"block.steps"() ({
^bb0(%t: index, %end: index):
  %v = arith.constant 1.0 : f32
  block.yield %v : f32
}) : () -> ()
