// RUN: RAMMER_INVALID

// CHECK: a tiling is generic, contraction, matrix_vector, recurrence, not other
"test.op"() {tiling = #rop.tiling<other tile [1] threads 1>} : () -> ()

// -----

// CHECK: the sizes of a tiling must be positive
"test.op"() {tiling = #rop.tiling<generic tile [0] threads 1>} : () -> ()

// -----

// CHECK: the sizes of a tiling must be positive
"test.op"() {tiling = #rop.tiling<generic tile [1] threads 0>} : () -> ()

// -----

// CHECK: a contraction has a block of M, N and K, a matrix-vector product one of N and K, all else none
"test.op"() {tiling = #rop.tiling<contraction tile [1] threads 1>} : () -> ()

// -----

// CHECK: a contraction has a block of M, N and K, a matrix-vector product one of N and K, all else none
"test.op"() {tiling = #rop.tiling<generic tile [1] threads 1 block [8, 8, 8] slices 1>} : () -> ()

// -----

// CHECK: a loop is split into two parts at least, not dimension 2 into 1
"test.op"() {split = #rop.split<dim 2 parts 1 partial #rop.tiling<generic tile [1] threads 1> total #rop.tiling<generic tile [1] threads 1>>} : () -> ()

// -----

// CHECK: expected a tiling, got 1 : i64
"test.op"() {split = #rop.split<dim 2 parts 2 partial 1>} : () -> ()

// -----

// CHECK: only products slice their K
"test.op"() {tiling = #rop.tiling<generic tile [1] threads 1 block [] slices 2>} : () -> ()

// -----

// CHECK: Expected `add`, `multiply`, `maximum`, `minimum`,
"test.op"() {combiner = #rop<combiner mean>} : () -> ()

// -----

// CHECK: 'rop.yield' expects parent op to be one of 'rop.generic', 'rop.operator', 'rop.scan', 'rop.weight'
rop.yield

// -----

// CHECK: rop.index stands outside the body of a rop.generic
%i = rop.index 0

// -----

// CHECK: rop.index 1 of a generic with 1 dimensions
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>] {
    %i = rop.index 1
    %n = arith.index_cast %i : index to i32
    rop.yield %n : i32
  } -> tensor<4xi32>
  func.return
}

// -----

// CHECK: rop.index -1 of a generic with 1 dimensions
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>] {
    %i = rop.index -1
    %n = arith.index_cast %i : index to i32
    rop.yield %n : i32
  } -> tensor<4xi32>
  func.return
}

// -----

// CHECK: bounds must be positive, got {{\[}}0{{\]}}
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [0] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: 1 maps for 1 inputs and 1 results: one each is needed
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: a generic needs at least one result
func.func @f(%x: tensor<4xf32>) {
  rop.generic bounds [4] maps [affine_map<(d) -> (d)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield
  }
  func.return
}

// -----

// CHECK: 2 combiners for 1 results
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>] reduce [add, add] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: into must give one tensor of the same type for every result, or none
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>] ins(%x : tensor<4xf32>) into(%x, %x : tensor<4xf32>, tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: into must give one tensor of the same type for every result, or none
func.func @f(%x: tensor<4xf32>, %y: tensor<4xi32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>] ins(%x : tensor<4xf32>) into(%y : tensor<4xi32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: 2 pad values for 1 inputs: one each, or unit
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>] pad [unit, unit] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: pad value 0 : i32 does not have the element type f32
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>] pad [0 : i32] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: pad value "zero" does not have the element type f32
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>] pad ["zero"] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: map 0 has 2 dimensions and 0 symbols, but there are 1 bounds and 0 indices in at
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d, e) -> (d)>, affine_map<(d) -> (d)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: map 1 has 1 dimensions and 1 symbols, but there are 1 bounds and 0 indices in at
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>, affine_map<(d)[s] -> (d)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: map 0 has 2 results for tensor<4xf32>
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d, d)>, affine_map<(d) -> (d)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: map 0 reaches 1..4 in dimension 0 of tensor<4xf32>; give a pad value or narrow the bounds
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d + 1)>, affine_map<(d) -> (d)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: map 1 reaches -1..2 in dimension 0 of tensor<4xf32>; give a pad value or narrow the bounds
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d - 1)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: map 0: division by a value that may be 0
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d floordiv 0)>, affine_map<(d) -> (d)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: dimensions {{\[}}0{{\]}} are reduced into result 0: it needs a combiner
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (0)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<1xf32>
  func.return
}

// -----

// CHECK: result 0 gets 4 values for 2 elements: an element may be written only once
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d floordiv 2)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<2xf32>
  func.return
}

// -----

// CHECK: result 0 has 8 elements, of which 4 are written: into must give what the others are
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<8xf32>
  func.return
}

// -----

// CHECK: the body's arguments must be the inputs' element types
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: the body must end with rop.yield
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    "test.termop"() : () -> ()
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: the body must yield one value of each result's element type
func.func @f(%x: tensor<4xf32>) {
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p, %p : f32, f32
  } -> tensor<4xf32>
  func.return
}

// -----

// CHECK: an rOperator needs at least one result
rop.operator {
  rop.yield
}

// -----

// CHECK: the region of rop.operator must take tensor<4xf32>
%x = "test.op"() : () -> tensor<4xf32>
%r = rop.operator ins(%x : tensor<4xf32>) {
^bb0(%a: tensor<8xf32>):
  rop.yield %a : tensor<8xf32>
} -> tensor<8xf32>

// -----

// CHECK: the region of rop.operator must take nothing
%r = rop.operator {
^bb0(%a: tensor<8xf32>):
  rop.yield %a : tensor<8xf32>
} -> tensor<8xf32>

// -----

// CHECK: the region of rop.operator must end with rop.yield
%r = rop.operator {
  "test.termop"() : () -> ()
} -> tensor<8xf32>

// -----

// CHECK: the region of rop.operator must yield tensor<8xf32>
%x = "test.op"() : () -> tensor<4xf32>
%r = rop.operator ins(%x : tensor<4xf32>) {
^bb0(%a: tensor<4xf32>):
  rop.yield %a : tensor<4xf32>
} -> tensor<8xf32>

// -----

// CHECK: an rOperator holds generics and constants, not tensor.empty
%r = rop.operator {
  %e = tensor.empty() : tensor<4xf32>
  rop.yield %e : tensor<4xf32>
} -> tensor<4xf32>

// -----

// CHECK: an rOperator yields the results of its last generic, each once
%x = "test.op"() : () -> tensor<4xf32>
%r = rop.operator ins(%x : tensor<4xf32>) {
^bb0(%a: tensor<4xf32>):
  rop.yield %a : tensor<4xf32>
} -> tensor<4xf32>

// -----

// CHECK: an rOperator yields the results of its last generic, each once
%r:2 = rop.operator {
  %one = rop.generic bounds [4] maps [affine_map<(d) -> (d)>] {
    %v = arith.constant 1.0 : f32
    rop.yield %v : f32
  } -> tensor<4xf32>
  rop.yield %one, %one : tensor<4xf32>, tensor<4xf32>
} -> tensor<4xf32>, tensor<4xf32>

// -----

// CHECK: an rOperator yields the results of its last generic, each once
%r = rop.operator {
  %one = rop.generic bounds [4] maps [affine_map<(d) -> (d)>] {
    %v = arith.constant 1.0 : f32
    rop.yield %v : f32
  } -> tensor<4xf32>
  %two = rop.generic bounds [4] maps [affine_map<(d) -> (d)>] {
    %v = arith.constant 2.0 : f32
    rop.yield %v : f32
  } -> tensor<4xf32>
  rop.yield %one : tensor<4xf32>
} -> tensor<4xf32>

// -----

// CHECK: a scan needs at least one result
%n, %x, %h = "test.op"() : () -> (index, tensor<10x4xf32>, tensor<4xf32>)
rop.scan %n scanned(%x : tensor<10x4xf32>) {
^bb0(%t: index, %xt: tensor<4xf32>):
  rop.yield
}

// -----

// CHECK: the region of rop.scan must take index, tensor<4xf32>, tensor<4xf32>
%n, %x, %h = "test.op"() : () -> (index, tensor<10x4xf32>, tensor<4xf32>)
%r = rop.scan %n scanned(%x : tensor<10x4xf32>) carried(%h : tensor<4xf32>) {
^bb0(%t: index, %xt: tensor<10x4xf32>, %ht: tensor<4xf32>):
  rop.yield %ht : tensor<4xf32>
} -> tensor<4xf32>

// -----

// CHECK: the first results of a scan must have the types of the carried tensors
%n, %x, %h = "test.op"() : () -> (index, tensor<10x4xf32>, tensor<4xf32>)
%r = rop.scan %n carried(%h : tensor<4xf32>) {
^bb0(%t: index, %ht: tensor<4xf32>):
  rop.yield %ht : tensor<4xf32>
} -> tensor<10x4xf32>

// -----

// CHECK: the region of rop.scan must yield tensor<4xf32>, tensor<4xf32>
%n, %x, %h = "test.op"() : () -> (index, tensor<10x4xf32>, tensor<4xf32>)
%r:2 = rop.scan %n carried(%h : tensor<4xf32>) {
^bb0(%t: index, %ht: tensor<4xf32>):
  rop.yield %ht : tensor<4xf32>
} -> tensor<4xf32>, tensor<10x4xf32>

// -----

// CHECK: the region of rop.scan must end with rop.yield
%n, %x, %h = "test.op"() : () -> (index, tensor<10x4xf32>, tensor<4xf32>)
%r = rop.scan %n carried(%h : tensor<4xf32>) {
^bb0(%t: index, %ht: tensor<4xf32>):
  "test.termop"() : () -> ()
} -> tensor<4xf32>

// -----

// CHECK: a scanned tensor needs a leading dimension
%n, %x = "test.op"() : () -> (index, tensor<f32>)
%r = rop.scan %n scanned(%x : tensor<f32>) {
^bb0(%t: index, %xt: tensor<f32>):
  rop.yield %xt : tensor<f32>
} -> tensor<10xf32>

// -----

// CHECK: scanned tensors have one row a step, all as many, not {{\[}}10, 20{{\]}}
%n, %x, %h = "test.op"() : () -> (index, tensor<10x4xf32>, tensor<4xf32>)
%r = rop.scan %n scanned(%x : tensor<10x4xf32>) {
^bb0(%t: index, %xt: tensor<4xf32>):
  rop.yield %xt : tensor<4xf32>
} -> tensor<20x4xf32>

// -----

// CHECK: weight @w needs either a hash or a recipe
rop.weight @w : tensor<4xf32>

// -----

// CHECK: weight @w needs either a hash or a recipe
rop.weight @w : tensor<4xf32> hash "5f" {
  %x = "test.op"() : () -> tensor<4xf32>
  rop.yield %x : tensor<4xf32>
}

// -----

// CHECK: weight @w must have a static shape, not tensor<?xf32>
rop.weight @w : tensor<?xf32> hash "5f"

// -----

// CHECK: the region of rop.weight must take nothing
rop.weight @w : tensor<4xf32> {
^bb0(%x: tensor<4xf32>):
  rop.yield %x : tensor<4xf32>
}

// -----

// CHECK: the region of rop.weight must yield tensor<4xf32>
rop.weight @w : tensor<4xf32> {
  %x = "test.op"() : () -> tensor<8xf32>
  rop.yield %x : tensor<8xf32>
}

// -----

// CHECK: arithmetic is fp32, tf32, 3xtf32, not fp8
"test.op"() {tiling = #rop.tiling<contraction tile [1] threads 1 block [8, 8, 8] slices 1 arithmetic "fp8">} : () -> ()

// -----

// CHECK: only contractions have products that are not fp32
"test.op"() {tiling = #rop.tiling<matrix_vector tile [1] threads 1 block [8, 8] slices 1 arithmetic "tf32">} : () -> ()
