// RUN: rammer-opt %s -p channels-last --split-input-file | filecheck %s

// Every image between the generics, and the loops of what writes it; what enters and leaves stays.
// CHECK-LABEL: func.func @convolutions
// CHECK-SAME:    tensor<1x3x8x8xf32>
// CHECK:         %[[C:.*]] = rop.generic bounds [1, 6, 6, 16, 3, 3, 3] maps [affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d4, (d1 + d5), (d2 + d6))>, affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d3, d4, d5, d6)>, affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2, d3)>]
// CHECK:         -> tensor<1x6x6x16xf32>
// CHECK:         rop.generic bounds [1, 3, 3, 16, 2, 2] maps [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, ((d1 * 2) + d4), ((d2 * 2) + d5), d3)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3)>] reduce [maximum] ins(%[[C]]
// CHECK:         -> tensor<1x3x3x16xf32>
// CHECK:         rop.generic bounds [1, 16, 3, 3] maps [affine_map<(d0, d1, d2, d3) -> (d0, d2, d3, d1)>, affine_map<(d0, d1, d2, d3) -> (d0, d1)>]
// CHECK:         func.return {{.*}} : tensor<1x24xf32>
rop.weight @convolutions_v : tensor<16x3x3x3xf32> hash "00"
rop.weight @convolutions_w : tensor<24x16xf32> hash "00"
func.func @convolutions(%x: tensor<1x3x8x8xf32>) -> tensor<1x24xf32> {
  %v = rop.get_weight @convolutions_v : tensor<16x3x3x3xf32>
  %w = rop.get_weight @convolutions_w : tensor<24x16xf32>
  %c = rop.generic bounds [1, 16, 6, 6, 3, 3, 3]
    maps [affine_map<(n, o, h, w, i, y, x) -> (n, i, h + y, w + x)>, affine_map<(n, o, h, w, i, y, x) -> (o, i, y, x)>,
          affine_map<(n, o, h, w, i, y, x) -> (n, o, h, w)>]
    reduce [add] ins(%x, %v : tensor<1x3x8x8xf32>, tensor<16x3x3x3xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<1x16x6x6xf32>
  %pool = rop.generic bounds [1, 16, 3, 3, 2, 2]
    maps [affine_map<(n, c, h, w, y, x) -> (n, c, h * 2 + y, w * 2 + x)>, affine_map<(n, c, h, w, y, x) -> (n, c, h, w)>]
    reduce [maximum] ins(%c : tensor<1x16x6x6xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<1x16x3x3xf32>
  %means = rop.generic bounds [1, 16, 3, 3] maps [affine_map<(n, c, h, w) -> (n, c, h, w)>, affine_map<(n, c, h, w) -> (n, c)>]
    reduce [add] ins(%pool : tensor<1x16x3x3xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<1x16xf32>
  %y = rop.generic bounds [1, 24, 16] maps [affine_map<(n, o, i) -> (n, i)>, affine_map<(n, o, i) -> (o, i)>, affine_map<(n, o, i) -> (n, o)>]
    reduce [add] ins(%means, %w : tensor<1x16xf32>, tensor<24x16xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<1x24xf32>
  func.return %y : tensor<1x24xf32>
}

// -----

// Parts of one tensor move together; a result of the function stays as it is, and its loops too.
// CHECK-LABEL: func.func @concatenation
// CHECK:         tensor.empty() : tensor<1x6x6x16xf32>
// CHECK:         rop.generic bounds [1, 6, 6, 8, 4] {{.*}} -> (d0, d1, d2, d3)>] {{.*}} into(%{{.*}} : tensor<1x6x6x16xf32>)
// CHECK:         rop.generic bounds [1, 6, 6, 8, 4] {{.*}} -> (d0, d1, d2, (d3 + 8))>]
// CHECK:         rop.generic bounds [1, 5, 6, 6, 16] maps [affine_map<(d0, d1, d2, d3, d4) -> (d0, d2, d3, d4)>
// CHECK:         -> tensor<1x5x6x6xf32>
rop.weight @concatenation_v : tensor<8x4xf32> hash "00"
rop.weight @concatenation_w : tensor<8x4xf32> hash "00"
rop.weight @concatenation_u : tensor<5x16xf32> hash "00"
func.func @concatenation(%x: tensor<1x4x6x6xf32>) -> tensor<1x5x6x6xf32> {
  %v = rop.get_weight @concatenation_v : tensor<8x4xf32>
  %w = rop.get_weight @concatenation_w : tensor<8x4xf32>
  %u = rop.get_weight @concatenation_u : tensor<5x16xf32>
  %e = tensor.empty() : tensor<1x16x6x6xf32>
  %a = rop.generic bounds [1, 8, 6, 6, 4]
    maps [affine_map<(n, o, h, w, i) -> (n, i, h, w)>, affine_map<(n, o, h, w, i) -> (o, i)>, affine_map<(n, o, h, w, i) -> (n, o, h, w)>]
    reduce [add] ins(%x, %v : tensor<1x4x6x6xf32>, tensor<8x4xf32>) into(%e : tensor<1x16x6x6xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<1x16x6x6xf32>
  %b = rop.generic bounds [1, 8, 6, 6, 4]
    maps [affine_map<(n, o, h, w, i) -> (n, i, h, w)>, affine_map<(n, o, h, w, i) -> (o, i)>, affine_map<(n, o, h, w, i) -> (n, o + 8, h, w)>]
    reduce [add] ins(%x, %w : tensor<1x4x6x6xf32>, tensor<8x4xf32>) into(%a : tensor<1x16x6x6xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<1x16x6x6xf32>
  %c = rop.generic bounds [1, 5, 6, 6, 16]
    maps [affine_map<(n, o, h, w, i) -> (n, i, h, w)>, affine_map<(n, o, h, w, i) -> (o, i)>, affine_map<(n, o, h, w, i) -> (n, o, h, w)>]
    reduce [add] ins(%b, %u : tensor<1x16x6x6xf32>, tensor<5x16xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<1x5x6x6xf32>
  func.return %c : tensor<1x5x6x6xf32>
}

// -----

// The rows of a matrix product are no channels.
// CHECK-LABEL: func.func @no_images
// CHECK:         rop.generic bounds [1, 8, 32, 64]
// CHECK:         -> tensor<1x8x32xf32>
rop.weight @no_images_w : tensor<32x64xf32> hash "00"
func.func @no_images(%q: tensor<1x8x64xf32>) -> tensor<1x8x32xf32> {
  %w = rop.get_weight @no_images_w : tensor<32x64xf32>
  %a = rop.generic bounds [1, 8, 32, 64] maps [affine_map<(n, t, o, i) -> (n, t, i)>, affine_map<(n, t, o, i) -> (o, i)>, affine_map<(n, t, o, i) -> (n, t, o)>]
    reduce [add] ins(%q, %w : tensor<1x8x64xf32>, tensor<32x64xf32>) {
  ^bb0(%p: f32, %r: f32):
    %m = arith.mulf %p, %r : f32
    rop.yield %m : f32
  } -> tensor<1x8x32xf32>
  %b = rop.generic bounds [1, 8, 32] maps [affine_map<(n, t, o) -> (n, t, o)>, affine_map<(n, t, o) -> (n, t, o)>] ins(%a : tensor<1x8x32xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<1x8x32xf32>
  func.return %b : tensor<1x8x32xf32>
}

// -----

// The loop index that a body asks for moves with its loop.
// CHECK-LABEL: func.func @channel_index
// CHECK:         rop.generic bounds [1, 6, 6, 8, 4]
// CHECK:         rop.generic bounds [1, 6, 6, 8] maps [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
// CHECK:           rop.index 3
// CHECK:         rop.generic bounds [1, 8, 6, 6] maps [affine_map<(d0, d1, d2, d3) -> (d0, d2, d3, d1)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>]
rop.weight @channel_index_w : tensor<8x4xf32> hash "00"
func.func @channel_index(%x: tensor<1x4x6x6xf32>) -> tensor<1x8x6x6xf32> {
  %w = rop.get_weight @channel_index_w : tensor<8x4xf32>
  %a = rop.generic bounds [1, 8, 6, 6, 4]
    maps [affine_map<(n, o, h, w, i) -> (n, i, h, w)>, affine_map<(n, o, h, w, i) -> (o, i)>, affine_map<(n, o, h, w, i) -> (n, o, h, w)>]
    reduce [add] ins(%x, %w : tensor<1x4x6x6xf32>, tensor<8x4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<1x8x6x6xf32>
  %b = rop.generic bounds [1, 8, 6, 6] maps [affine_map<(n, c, h, w) -> (n, c, h, w)>, affine_map<(n, c, h, w) -> (n, c, h, w)>]
    ins(%a : tensor<1x8x6x6xf32>) {
  ^bb0(%p: f32):
    %i = rop.index 1
    %j = arith.index_cast %i : index to i32
    %k = arith.sitofp %j : i32 to f32
    %m = arith.addf %p, %k : f32
    rop.yield %m : f32
  } -> tensor<1x8x6x6xf32>
  %c = rop.generic bounds [1, 8, 6, 6] maps [affine_map<(n, c, h, w) -> (n, c, h, w)>, affine_map<(n, c, h, w) -> (n, c, h, w)>]
    ins(%b : tensor<1x8x6x6xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<1x8x6x6xf32>
  func.return %c : tensor<1x8x6x6xf32>
}

// -----

// A tensor that another op uses stays.
// CHECK-LABEL: func.func @used_elsewhere
// CHECK:         rop.generic bounds [1, 8, 6, 6, 4]
// CHECK:         -> tensor<1x8x6x6xf32>
rop.weight @used_elsewhere_w : tensor<8x4xf32> hash "00"
func.func @used_elsewhere(%x: tensor<1x4x6x6xf32>) -> f32 {
  %w = rop.get_weight @used_elsewhere_w : tensor<8x4xf32>
  %a = rop.generic bounds [1, 8, 6, 6, 4]
    maps [affine_map<(n, o, h, w, i) -> (n, i, h, w)>, affine_map<(n, o, h, w, i) -> (o, i)>, affine_map<(n, o, h, w, i) -> (n, o, h, w)>]
    reduce [add] ins(%x, %w : tensor<1x4x6x6xf32>, tensor<8x4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<1x8x6x6xf32>
  %i = arith.constant 0 : index
  %e = tensor.extract %a[%i, %i, %i, %i] : tensor<1x8x6x6xf32>
  func.return %e : f32
}
