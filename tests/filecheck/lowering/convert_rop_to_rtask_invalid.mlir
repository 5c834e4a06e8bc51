// RUN: rammer-opt %s -p convert-rop-to-rtask --verify-diagnostics --split-input-file | filecheck %s

// CHECK: an operator has no tilings: run the pass tile first
rop.weight @w : tensor<24x20xf32> hash "w"
func.func @main(%a: tensor<40x24xf32>) -> tensor<40x20xf32> {
  %w = rop.get_weight @w : tensor<24x20xf32>
  %result = rop.operator ins(%a, %w : tensor<40x24xf32>, tensor<24x20xf32>) {
  ^bb0(%x: tensor<40x24xf32>, %y: tensor<24x20xf32>):
    %product = rop.generic bounds [40, 20, 24]
        maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
        reduce [add] ins(%x, %y : tensor<40x24xf32>, tensor<24x20xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<40x20xf32>
    rop.yield %product : tensor<40x20xf32>
  } -> tensor<40x20xf32>
  func.return %result : tensor<40x20xf32>
}

// -----

// CHECK: an operator has no tilings: run the pass tile first
rop.weight @w : tensor<24x20xf32> hash "w"
func.func @main(%a: tensor<40x24xf32>) -> tensor<40x20xf32> {
  %w = rop.get_weight @w : tensor<24x20xf32>
  %result = rop.operator ins(%a, %w : tensor<40x24xf32>, tensor<24x20xf32>) attributes {tilings = []} {
  ^bb0(%x: tensor<40x24xf32>, %y: tensor<24x20xf32>):
    %product = rop.generic bounds [40, 20, 24]
        maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
        reduce [add] ins(%x, %y : tensor<40x24xf32>, tensor<24x20xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<40x20xf32>
    rop.yield %product : tensor<40x20xf32>
  } -> tensor<40x20xf32>
  func.return %result : tensor<40x20xf32>
}

// -----

// CHECK: an operator has no tilings: run the pass tile first
rop.weight @w : tensor<24x20xf32> hash "w"
func.func @main(%a: tensor<40x24xf32>) -> tensor<40x20xf32> {
  %w = rop.get_weight @w : tensor<24x20xf32>
  %result = rop.operator ins(%a, %w : tensor<40x24xf32>, tensor<24x20xf32>) attributes {tilings = [1 : i64]} {
  ^bb0(%x: tensor<40x24xf32>, %y: tensor<24x20xf32>):
    %product = rop.generic bounds [40, 20, 24]
        maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
        reduce [add] ins(%x, %y : tensor<40x24xf32>, tensor<24x20xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<40x20xf32>
    rop.yield %product : tensor<40x20xf32>
  } -> tensor<40x20xf32>
  func.return %result : tensor<40x20xf32>
}

// -----

// CHECK: tiling #rop.tiling<generic tile {{\[}}40, 20{{\]}} threads 64> has 2 sizes for a generic of 3 dimensions
rop.weight @w : tensor<24x20xf32> hash "w"
func.func @main(%a: tensor<40x24xf32>) -> tensor<40x20xf32> {
  %w = rop.get_weight @w : tensor<24x20xf32>
  %result = rop.operator ins(%a, %w : tensor<40x24xf32>, tensor<24x20xf32>) attributes {tilings = [#rop.tiling<generic tile [40, 20] threads 64>]} {
  ^bb0(%x: tensor<40x24xf32>, %y: tensor<24x20xf32>):
    %product = rop.generic bounds [40, 20, 24]
        maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
        reduce [add] ins(%x, %y : tensor<40x24xf32>, tensor<24x20xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<40x20xf32>
    rop.yield %product : tensor<40x20xf32>
  } -> tensor<40x20xf32>
  func.return %result : tensor<40x20xf32>
}

// -----

// CHECK: cuts dimension 2, which not all generics of the operator share
rop.weight @w : tensor<24x20xf32> hash "w"
func.func @main(%a: tensor<40x24xf32>) -> tensor<40x20xf32> {
  %w = rop.get_weight @w : tensor<24x20xf32>
  %result = rop.operator ins(%a, %w : tensor<40x24xf32>, tensor<24x20xf32>) attributes {tilings = [#rop.tiling<generic tile [40, 20, 8] threads 64>]} {
  ^bb0(%x: tensor<40x24xf32>, %y: tensor<24x20xf32>):
    %product = rop.generic bounds [40, 20, 24]
        maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
        reduce [add] ins(%x, %y : tensor<40x24xf32>, tensor<24x20xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<40x20xf32>
    rop.yield %product : tensor<40x20xf32>
  } -> tensor<40x20xf32>
  func.return %result : tensor<40x20xf32>
}

// -----

// CHECK: a contraction tiling on what is no contraction
rop.weight @w : tensor<24x20xf32> hash "w"
func.func @main(%a: tensor<40x24xf32>) -> tensor<40x20xf32> {
  %w = rop.get_weight @w : tensor<24x20xf32>
  %result = rop.operator ins(%a, %w : tensor<40x24xf32>, tensor<24x20xf32>) attributes {tilings = [#rop.tiling<contraction tile [32, 16, 24] threads 64 block [32, 16, 8] slices 1>]} {
  ^bb0(%x: tensor<40x24xf32>, %y: tensor<24x20xf32>):
    %product = rop.generic bounds [40, 20, 24]
        maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
        reduce [maximum] ins(%x, %y : tensor<40x24xf32>, tensor<24x20xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<40x20xf32>
    rop.yield %product : tensor<40x20xf32>
  } -> tensor<40x20xf32>
  func.return %result : tensor<40x20xf32>
}

// -----

// CHECK: a matrix-vector product tiling on what is no matrix-vector product
rop.weight @w : tensor<24x20xf32> hash "w"
func.func @main(%a: tensor<40x24xf32>) -> tensor<40x20xf32> {
  %w = rop.get_weight @w : tensor<24x20xf32>
  %result = rop.operator ins(%a, %w : tensor<40x24xf32>, tensor<24x20xf32>) attributes {tilings = [#rop.tiling<matrix_vector tile [40, 4, 24] threads 256 block [4, 256] slices 64>]} {
  ^bb0(%x: tensor<40x24xf32>, %y: tensor<24x20xf32>):
    %product = rop.generic bounds [40, 20, 24]
        maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
        reduce [add] ins(%x, %y : tensor<40x24xf32>, tensor<24x20xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<40x20xf32>
    rop.yield %product : tensor<40x20xf32>
  } -> tensor<40x20xf32>
  func.return %result : tensor<40x20xf32>
}

// -----

// CHECK: has tiles that are not the 16 columns of a chunk, for one index of a batch
rop.weight @w : tensor<1000x20xf32> hash "w"
func.func @main(%a: tensor<4x1000xf32>) -> tensor<4x20xf32> {
  %w = rop.get_weight @w : tensor<1000x20xf32>
  %result = rop.operator ins(%a, %w : tensor<4x1000xf32>, tensor<1000x20xf32>) attributes {tilings = [#rop.tiling<matrix_vector tile [4, 8, 1000] threads 256 block [16, 256] slices 16>]} {
  ^bb0(%x: tensor<4x1000xf32>, %y: tensor<1000x20xf32>):
    %product = rop.generic bounds [4, 20, 1000]
        maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
        reduce [add] ins(%x, %y : tensor<4x1000xf32>, tensor<1000x20xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<4x20xf32>
    rop.yield %product : tensor<4x20xf32>
  } -> tensor<4x20xf32>
  func.return %result : tensor<4x20xf32>
}

// -----

// CHECK: the operator has no sum of products whose loop 2 can be split into 5 equal parts
rop.weight @w : tensor<24x20xf32> hash "w"
func.func @main(%a: tensor<40x24xf32>) -> tensor<40x20xf32> {
  %w = rop.get_weight @w : tensor<24x20xf32>
  %result = rop.operator ins(%a, %w : tensor<40x24xf32>, tensor<24x20xf32>)
      attributes {tilings = [#rop.tiling<generic tile [40, 20, 24] threads 64>],
                  splits = [#rop.split<dim 2 parts 5 partial #rop.tiling<generic tile [1, 40, 20, 5] threads 64>
                                       total #rop.tiling<generic tile [40, 20] threads 64>>]} {
  ^bb0(%x: tensor<40x24xf32>, %y: tensor<24x20xf32>):
    %product = rop.generic bounds [40, 20, 24]
        maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
        reduce [add] ins(%x, %y : tensor<40x24xf32>, tensor<24x20xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<40x20xf32>
    rop.yield %product : tensor<40x20xf32>
  } -> tensor<40x20xf32>
  func.return %result : tensor<40x20xf32>
}

// -----

// CHECK: has a tile of 40 x 16, which is no block of 32 x 16
rop.weight @w : tensor<24x20xf32> hash "w"
func.func @main(%a: tensor<40x24xf32>) -> tensor<40x20xf32> {
  %w = rop.get_weight @w : tensor<24x20xf32>
  %result = rop.operator ins(%a, %w : tensor<40x24xf32>, tensor<24x20xf32>) attributes {tilings = [#rop.tiling<contraction tile [40, 16, 24] threads 64 block [32, 16, 8] slices 1>]} {
  ^bb0(%x: tensor<40x24xf32>, %y: tensor<24x20xf32>):
    %product = rop.generic bounds [40, 20, 24]
        maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
        reduce [add] ins(%x, %y : tensor<40x24xf32>, tensor<24x20xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<40x20xf32>
    rop.yield %product : tensor<40x20xf32>
  } -> tensor<40x20xf32>
  func.return %result : tensor<40x20xf32>
}

// -----

// CHECK: has a tile of 32 x 8, which is no block of 32 x 16
rop.weight @w : tensor<24x20xf32> hash "w"
func.func @main(%a: tensor<40x24xf32>) -> tensor<40x20xf32> {
  %w = rop.get_weight @w : tensor<24x20xf32>
  %result = rop.operator ins(%a, %w : tensor<40x24xf32>, tensor<24x20xf32>) attributes {tilings = [#rop.tiling<contraction tile [32, 8, 24] threads 64 block [32, 16, 8] slices 1>]} {
  ^bb0(%x: tensor<40x24xf32>, %y: tensor<24x20xf32>):
    %product = rop.generic bounds [40, 20, 24]
        maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
        reduce [add] ins(%x, %y : tensor<40x24xf32>, tensor<24x20xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<40x20xf32>
    rop.yield %product : tensor<40x20xf32>
  } -> tensor<40x20xf32>
  func.return %result : tensor<40x20xf32>
}

// -----

// CHECK: has a tile of 32 x 20, which is no block of 32 x 16
rop.weight @w : tensor<24x20xf32> hash "w"
func.func @main(%a: tensor<40x24xf32>) -> tensor<40x20xf32> {
  %w = rop.get_weight @w : tensor<24x20xf32>
  %result = rop.operator ins(%a, %w : tensor<40x24xf32>, tensor<24x20xf32>) attributes {tilings = [#rop.tiling<contraction tile [32, 20, 24] threads 64 block [32, 16, 8] slices 1>]} {
  ^bb0(%x: tensor<40x24xf32>, %y: tensor<24x20xf32>):
    %product = rop.generic bounds [40, 20, 24]
        maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
        reduce [add] ins(%x, %y : tensor<40x24xf32>, tensor<24x20xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<40x20xf32>
    rop.yield %product : tensor<40x20xf32>
  } -> tensor<40x20xf32>
  func.return %result : tensor<40x20xf32>
}

// -----

// CHECK: has several indices of a batch in a tile of a contraction
rop.weight @w : tensor<24x20xf32> hash "w"
func.func @main(%a: tensor<2x4x4x24xf32>) -> tensor<2x4x4x20xf32> {
  %w = rop.get_weight @w : tensor<24x20xf32>
  %result = rop.operator ins(%a, %w : tensor<2x4x4x24xf32>, tensor<24x20xf32>)
      attributes {tilings = [#rop.tiling<contraction tile [2, 4, 4, 20, 24] threads 64 block [32, 32, 8] slices 1>]} {
  ^bb0(%x: tensor<2x4x4x24xf32>, %y: tensor<24x20xf32>):
    %product = rop.generic bounds [2, 4, 4, 20, 24]
        maps [affine_map<(b, h, i, j, k) -> (b, h, i, k)>, affine_map<(b, h, i, j, k) -> (k, j)>,
              affine_map<(b, h, i, j, k) -> (b, h, i, j)>]
        reduce [add] ins(%x, %y : tensor<2x4x4x24xf32>, tensor<24x20xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<2x4x4x20xf32>
    rop.yield %product : tensor<2x4x4x20xf32>
  } -> tensor<2x4x4x20xf32>
  func.return %result : tensor<2x4x4x20xf32>
}

// -----

// CHECK: a tile of 4 does not divide 6 elements of a larger tensor
func.func @main(%a: tensor<6xf32>, %b: tensor<9xf32>) -> tensor<9xf32> {
  %result = rop.operator ins(%a, %b : tensor<6xf32>, tensor<9xf32>) attributes {tilings = [#rop.tiling<generic tile [4] threads 64>]} {
  ^bb0(%x: tensor<6xf32>, %y: tensor<9xf32>):
    %copy = rop.generic bounds [6] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i + 1)>]
        ins(%x : tensor<6xf32>) into(%y : tensor<9xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<9xf32>
    rop.yield %copy : tensor<9xf32>
  } -> tensor<9xf32>
  func.return %result : tensor<9xf32>
}

// -----

// CHECK: an operator inside two loops cannot be cut into tasks
func.func @main(%a: tensor<6x6xf32>, %i: index, %j: index) -> tensor<1xf32> {
  %result = rop.operator ins(%a, %i, %j : tensor<6x6xf32>, index, index) attributes {tilings = [#rop.tiling<generic tile [1] threads 64>]} {
  ^bb0(%x: tensor<6x6xf32>, %s: index, %t: index):
    %element = rop.generic bounds [1] maps [affine_map<(i)[s, t] -> (s, t)>, affine_map<(i)[s, t] -> (i)>]
        ins(%x : tensor<6x6xf32>) at(%s, %t) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<1xf32>
    rop.yield %element : tensor<1xf32>
  } -> tensor<1xf32>
  func.return %result : tensor<1xf32>
}

// -----

// CHECK: only the last generic of an operator may write into a given tensor
func.func @main(%a: tensor<6xf32>, %b: tensor<6xf32>) -> tensor<6xf32> {
  %result = rop.operator ins(%a, %b : tensor<6xf32>, tensor<6xf32>) attributes {tilings = [#rop.tiling<generic tile [6] threads 64>]} {
  ^bb0(%x: tensor<6xf32>, %y: tensor<6xf32>):
    %local = rop.generic bounds [6] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<6xf32>) into(%y : tensor<6xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<6xf32>
    %root = rop.generic bounds [6] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<6xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<6xf32>
    rop.yield %root : tensor<6xf32>
  } -> tensor<6xf32>
  func.return %result : tensor<6xf32>
}

// -----

// CHECK: an operator writes into one of its operands, not into a tensor of its own
func.func @main(%a: tensor<6xf32>, %b: tensor<6xf32>) -> tensor<6xf32> {
  %result = rop.operator ins(%a, %b : tensor<6xf32>, tensor<6xf32>) attributes {tilings = [#rop.tiling<generic tile [6] threads 64>]} {
  ^bb0(%x: tensor<6xf32>, %y: tensor<6xf32>):
    %local = rop.generic bounds [6] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<6xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<6xf32>
    %root = rop.generic bounds [6] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<6xf32>) into(%local : tensor<6xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<6xf32>
    rop.yield %root : tensor<6xf32>
  } -> tensor<6xf32>
  func.return %result : tensor<6xf32>
}

// -----

// CHECK: rop.generic is in no operator: run fuse-operators first
func.func @main(%x: tensor<6xf32>) -> tensor<6xf32> {
  %copy = rop.generic bounds [6] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<6xf32>) {
  ^bb1(%p: f32):
    rop.yield %p : f32
  } -> tensor<6xf32>
  func.return %copy : tensor<6xf32>
}
