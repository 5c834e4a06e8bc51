// RUN: rammer-opt %s -p fold-scales --split-input-file | filecheck %s
// RUN: rammer-opt %s -p fold-scales --split-input-file --print-debuginfo | filecheck %s --check-prefix=LOC

// A convolution, its bias, batch normalisation and a scale: the weight is scaled, one addition remains.
// CHECK:       rop.weight @filter_scaled : tensor<4x3x1x1xf32> {
// CHECK:         rop.get_weight @filter : tensor<4x3x1x1xf32>
// CHECK:         rop.get_weight @[[FACTOR:.*]] : tensor<4xf32>
// CHECK:         rop.generic bounds [4, 3, 1, 1] maps [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>]
// CHECK:           arith.mulf
// CHECK:       func.func @normalised
// CHECK:         %[[W:.*]] = rop.get_weight @filter_scaled
// CHECK-NEXT:    %[[C:.*]] = rop.generic bounds [1, 4, 5, 3] {{.*}} reduce [add] ins(%x, %[[W]] : tensor<1x3x5xf32>, tensor<4x3x1x1xf32>)
// CHECK:         %[[S:.*]] = rop.generic bounds [1, 4, 5] maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>] ins(%[[C]], %{{.*}} : tensor<1x4x5xf32>, tensor<4xf32>)
// CHECK:           arith.addf
// CHECK-NEXT:      rop.yield
// CHECK-NOT:     rop.generic
// CHECK:         func.return %[[S]]

// LOC:         rop.generic bounds [1, 4, 5, 3]
// LOC:         -> tensor<1x4x5xf32> loc("conv")
// LOC:         -> tensor<1x4x5xf32> loc(fused["bias", "bn"])
rop.weight @filter : tensor<4x3x1x1xf32> hash "f"
rop.weight @bias : tensor<4xf32> hash "b"
rop.weight @scale : tensor<4xf32> hash "s"
rop.weight @shift : tensor<4xf32> hash "t"
func.func @normalised(%x: tensor<1x3x5xf32>) -> tensor<1x4x5xf32> {
  %w = rop.get_weight @filter : tensor<4x3x1x1xf32>
  %b = rop.get_weight @bias : tensor<4xf32>
  %s = rop.get_weight @scale : tensor<4xf32>
  %t = rop.get_weight @shift : tensor<4xf32>
  %c = rop.generic bounds [1, 4, 5, 3] maps [affine_map<(n, o, p, i) -> (n, i, p)>, affine_map<(n, o, p, i) -> (o, i, 0, 0)>, affine_map<(n, o, p, i) -> (n, o, p)>]
      reduce [add] ins(%x, %w : tensor<1x3x5xf32>, tensor<4x3x1x1xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<1x4x5xf32> loc("conv")
  %d = rop.generic bounds [1, 4, 5] maps [affine_map<(n, o, p) -> (n, o, p)>, affine_map<(n, o, p) -> (o)>, affine_map<(n, o, p) -> (n, o, p)>]
      ins(%c, %b : tensor<1x4x5xf32>, tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.addf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<1x4x5xf32> loc("bias")
  %e = rop.generic bounds [1, 4, 5] maps [affine_map<(n, o, p) -> (n, o, p)>, affine_map<(n, o, p) -> (o)>, affine_map<(n, o, p) -> (o)>, affine_map<(n, o, p) -> (n, o, p)>]
      ins(%d, %s, %t : tensor<1x4x5xf32>, tensor<4xf32>, tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32, %r: f32):
    %m = arith.mulf %p, %q : f32
    %a = arith.subf %m, %r : f32
    rop.yield %a : f32
  } -> tensor<1x4x5xf32> loc("bn")
  func.return %e : tensor<1x4x5xf32>
}

// -----

// What precedes a convolution becomes one multiplication and one addition.
// CHECK-LABEL: func.func @without_product
// CHECK:         %[[Y:.*]] = rop.generic bounds [2, 4] maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>] ins(%x,
// CHECK-NEXT:    ^bb0(%[[P:.*]]: f32, %[[F:.*]]: f32, %[[A:.*]]: f32):
// CHECK-NEXT:      %[[M:.*]] = arith.mulf %[[P]], %[[F]] : f32
// CHECK-NEXT:      %[[S:.*]] = arith.addf %[[M]], %[[A]] : f32
// CHECK-NEXT:      rop.yield %[[S]] : f32
// CHECK-NOT:     rop.generic
// CHECK:         func.return %[[Y]]
rop.weight @scale : tensor<4xf32> hash "s"
rop.weight @shift : tensor<4xf32> hash "t"
func.func @without_product(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %s = rop.get_weight @scale : tensor<4xf32>
  %t = rop.get_weight @shift : tensor<4xf32>
  %d = rop.generic bounds [2, 4] maps [affine_map<(n, o) -> (n, o)>, affine_map<(n, o) -> (o)>, affine_map<(n, o) -> (n, o)>]
      ins(%x, %s : tensor<2x4xf32>, tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.divf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<2x4xf32>
  %e = rop.generic bounds [2, 4] maps [affine_map<(n, o) -> (n, o)>, affine_map<(n, o) -> (o)>, affine_map<(n, o) -> (n, o)>]
      ins(%d, %t : tensor<2x4xf32>, tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.addf %q, %p : f32
    rop.yield %m : f32
  } -> tensor<2x4xf32>
  func.return %e : tensor<2x4xf32>
}

// -----

// A product that something else needs too stays as it is, and so do functions of two tensors.
// CHECK-LABEL: func.func @needed_twice
// CHECK:         arith.mulf
// CHECK:         rop.generic bounds [2, 4]
// CHECK:           arith.mulf
// CHECK:         rop.generic bounds [2, 4]
// CHECK:           arith.mulf
rop.weight @matrix : tensor<3x4xf32> hash "m"
rop.weight @scale : tensor<4xf32> hash "s"
func.func @needed_twice(%x: tensor<2x3xf32>) -> tensor<2x4xf32> {
  %w = rop.get_weight @matrix : tensor<3x4xf32>
  %s = rop.get_weight @scale : tensor<4xf32>
  %c = rop.generic bounds [2, 4, 3] maps [affine_map<(n, o, i) -> (n, i)>, affine_map<(n, o, i) -> (i, o)>, affine_map<(n, o, i) -> (n, o)>]
      reduce [add] ins(%x, %w : tensor<2x3xf32>, tensor<3x4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<2x4xf32>
  %d = rop.generic bounds [2, 4] maps [affine_map<(n, o) -> (n, o)>, affine_map<(n, o) -> (o)>, affine_map<(n, o) -> (n, o)>]
      ins(%c, %s : tensor<2x4xf32>, tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<2x4xf32>
  %e = rop.generic bounds [2, 4] maps [affine_map<(n, o) -> (n, o)>, affine_map<(n, o) -> (n, o)>, affine_map<(n, o) -> (n, o)>]
      ins(%c, %d : tensor<2x4xf32>, tensor<2x4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<2x4xf32>
  func.return %e : tensor<2x4xf32>
}
