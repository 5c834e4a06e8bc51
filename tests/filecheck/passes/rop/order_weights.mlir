// RUN: rammer-opt %s -p order-weights --split-input-file --print-debuginfo | filecheck %s

// The filter of a depthwise convolution: taps first, channels last, as the result has them. A second reader of the same
// weight in the same order shares it.
// CHECK:       rop.weight @filter_ordered : tensor<3x3x8xf32> {
// CHECK:         %[[W:.*]] = rop.get_weight @filter : tensor<8x1x3x3xf32>
// CHECK:         rop.generic bounds [3, 3, 8] maps [affine_map<(d0, d1, d2) -> (d2, 0, d0, d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>] ins(%[[W]]
// CHECK-LABEL: func.func @depthwise
// CHECK-NEXT:    %[[F:.*]] = rop.get_weight @filter_ordered : tensor<3x3x8xf32> loc("load")
// CHECK-NEXT:    %[[S:.*]] = rop.generic bounds [1, 6, 6, 8, 3, 3] maps [affine_map<{{.*}}>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d4, d5, d3)>, affine_map<{{.*}}>] reduce [add] pad [0.000000e+00 : f32, unit] ins(%x, %[[F]] :
// CHECK:         rop.generic bounds [1, 6, 6, 8, 3, 3] {{.*}} ins(%[[S]], %[[F]] :
rop.weight @filter : tensor<8x1x3x3xf32> hash "f"
func.func @depthwise(%x: tensor<1x6x6x8xf32>) -> tensor<1x6x6x8xf32> {
  %w = rop.get_weight @filter : tensor<8x1x3x3xf32> loc("load")
  %s = rop.generic bounds [1, 6, 6, 8, 3, 3]
      maps [affine_map<(n, h, w, c, y, x) -> (n, h + y - 1, w + x - 1, c)>, affine_map<(n, h, w, c, y, x) -> (c, 0, y, x)>,
            affine_map<(n, h, w, c, y, x) -> (n, h, w, c)>]
      reduce [add] pad [0.0 : f32, unit] ins(%x, %w : tensor<1x6x6x8xf32>, tensor<8x1x3x3xf32>) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<1x6x6x8xf32>
  %t = rop.generic bounds [1, 6, 6, 8, 3, 3]
      maps [affine_map<(n, h, w, c, y, x) -> (n, h + y - 1, w + x - 1, c)>, affine_map<(n, h, w, c, y, x) -> (c, 0, y, x)>,
            affine_map<(n, h, w, c, y, x) -> (n, h, w, c)>]
      reduce [add] pad [0.0 : f32, unit] ins(%s, %w : tensor<1x6x6x8xf32>, tensor<8x1x3x3xf32>) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<1x6x6x8xf32>
  func.return %t : tensor<1x6x6x8xf32>
}

// -----

// A matrix that a product packs stays, and so do a vector and a weight that has its readers' order.
// CHECK-LABEL: func.func @others
// CHECK:         rop.get_weight @matrix : tensor<4x8xf32>
// CHECK:         rop.get_weight @bias : tensor<4xf32>
// CHECK:         rop.get_weight @table : tensor<6x4xf32>
// CHECK-NOT:     ordered
rop.weight @matrix : tensor<4x8xf32> hash "m"
rop.weight @bias : tensor<4xf32> hash "b"
rop.weight @table : tensor<6x4xf32> hash "t"
func.func @others(%x: tensor<6x8xf32>) -> tensor<6x4xf32> {
  %w = rop.get_weight @matrix : tensor<4x8xf32>
  %b = rop.get_weight @bias : tensor<4xf32>
  %t = rop.get_weight @table : tensor<6x4xf32>
  %s = rop.generic bounds [6, 4, 8] maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (j, k)>, affine_map<(i, j, k) -> (i, j)>]
      reduce [add] ins(%x, %w : tensor<6x8xf32>, tensor<4x8xf32>) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<6x4xf32>
  %y = rop.generic bounds [6, 4]
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]
      ins(%s, %b, %t : tensor<6x4xf32>, tensor<4xf32>, tensor<6x4xf32>) {
  ^bb1(%p: f32, %q: f32, %r: f32):
    %a = arith.addf %p, %q : f32
    %c = arith.addf %a, %r : f32
    rop.yield %c : f32
  } -> tensor<6x4xf32>
  func.return %y : tensor<6x4xf32>
}
