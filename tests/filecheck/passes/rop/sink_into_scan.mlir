// RUN: rammer-opt %s -p sink-into-scan --split-input-file | filecheck %s

// The product of all rows with the weights, and the sum with the bias, are computed row by row: they scan what they read
// by rows and capture the rest. A row read in another place, the shifted one, stops it.
// CHECK-LABEL: @products
// CHECK:         %shifted = rop.generic bounds [4, 8] maps [affine_map<(d0, d1) -> ((d0 + 1), d1)>,
// CHECK-NOT:     rop.generic bounds [4
// CHECK:         rop.scan %n scanned(%shifted : tensor<4x8xf32>) carried(%h : tensor<16xf32>) captured(%b, %w : tensor<16xf32>, tensor<16x8xf32>) {
// CHECK-NEXT:    ^bb{{[0-9]+}}(%t: index, %[[X:.*]]: tensor<8xf32>, %ht: tensor<16xf32>, %[[B:.*]]: tensor<16xf32>, %[[W:.*]]: tensor<16x8xf32>):
// CHECK-NEXT:      %[[P:.*]] = rop.generic bounds [8, 16] maps [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d1)>] reduce [add] ins(%[[X]], %[[W]] : tensor<8xf32>, tensor<16x8xf32>) {
// CHECK:           %[[S:.*]] = rop.generic bounds [16] {{.*}} ins(%[[P]], %[[B]] : tensor<16xf32>, tensor<16xf32>) {
// CHECK:           rop.generic bounds [16] {{.*}} ins(%[[S]], %ht : tensor<16xf32>, tensor<16xf32>) {
func.func @products(%x: tensor<5x8xf32>, %w: tensor<16x8xf32>, %b: tensor<16xf32>, %h: tensor<16xf32>) -> tensor<16xf32> {
  %n = arith.constant 4 : index
  %shifted = rop.generic bounds [4, 8] maps [affine_map<(t, i) -> (t + 1, i)>, affine_map<(t, i) -> (t, i)>] ins(%x : tensor<5x8xf32>) {
  ^bb0(%p: f32):
    %0 = arith.negf %p : f32
    rop.yield %0 : f32
  } -> tensor<4x8xf32>
  %products = rop.generic bounds [8, 4, 16] maps [affine_map<(i, t, o) -> (t, i)>, affine_map<(i, t, o) -> (o, i)>, affine_map<(i, t, o) -> (t, o)>]
      reduce [add] ins(%shifted, %w : tensor<4x8xf32>, tensor<16x8xf32>) {
  ^bb0(%p: f32, %q: f32):
    %0 = arith.mulf %p, %q : f32
    rop.yield %0 : f32
  } -> tensor<4x16xf32>
  %sums = rop.generic bounds [4, 16] maps [affine_map<(t, o) -> (t, o)>, affine_map<(t, o) -> (o)>, affine_map<(t, o) -> (t, o)>]
      ins(%products, %b : tensor<4x16xf32>, tensor<16xf32>) {
  ^bb0(%p: f32, %q: f32):
    %0 = arith.addf %p, %q : f32
    rop.yield %0 : f32
  } -> tensor<4x16xf32>
  %last = rop.scan %n scanned(%sums : tensor<4x16xf32>) carried(%h : tensor<16xf32>) {
  ^bb0(%t: index, %st: tensor<16xf32>, %ht: tensor<16xf32>):
    %next = rop.generic bounds [16] maps [affine_map<(o) -> (o)>, affine_map<(o) -> (o)>, affine_map<(o) -> (o)>]
        ins(%st, %ht : tensor<16xf32>, tensor<16xf32>) {
    ^bb0(%p: f32, %q: f32):
      %0 = arith.addf %p, %q : f32
      rop.yield %0 : f32
    } -> tensor<16xf32>
    rop.yield %next : tensor<16xf32>
  } -> tensor<16xf32>
  func.return %last : tensor<16xf32>
}

// -----

// What something else reads too stays outside. A row that takes all rows of another tensor captures that as a whole.
// CHECK-LABEL: @shared
// CHECK:         %twice = rop.generic bounds [4, 8]
// CHECK-NOT:     rop.generic
// CHECK:         rop.scan %n scanned(%twice, %x : tensor<4x8xf32>, tensor<4x8xf32>) carried(%h : tensor<8xf32>) captured(%x : tensor<4x8xf32>) {
// CHECK-NEXT:    ^bb{{[0-9]+}}(%t: index, %at: tensor<8xf32>, %[[ROW:.*]]: tensor<8xf32>, %ht: tensor<8xf32>, %[[ALL:.*]]: tensor<4x8xf32>):
// CHECK-NEXT:      rop.generic bounds [4, 8] {{.*}} reduce [add] ins(%[[ALL]], %[[ROW]] :
func.func @shared(%x: tensor<4x8xf32>, %h: tensor<8xf32>) -> (tensor<8xf32>, tensor<4x8xf32>) {
  %n = arith.constant 4 : index
  %twice = rop.generic bounds [4, 8] maps [affine_map<(t, i) -> (t, i)>, affine_map<(t, i) -> (t, i)>] ins(%x : tensor<4x8xf32>) {
  ^bb0(%p: f32):
    %0 = arith.addf %p, %p : f32
    rop.yield %0 : f32
  } -> tensor<4x8xf32>
  %mixed = rop.generic bounds [4, 4, 8] maps [affine_map<(t, u, i) -> (u, i)>, affine_map<(t, u, i) -> (t, i)>, affine_map<(t, u, i) -> (t, i)>]
      reduce [add] ins(%x, %x : tensor<4x8xf32>, tensor<4x8xf32>) {
  ^bb0(%p: f32, %q: f32):
    %0 = arith.mulf %p, %q : f32
    rop.yield %0 : f32
  } -> tensor<4x8xf32>
  %last = rop.scan %n scanned(%twice, %mixed : tensor<4x8xf32>, tensor<4x8xf32>) carried(%h : tensor<8xf32>) {
  ^bb0(%t: index, %at: tensor<8xf32>, %bt: tensor<8xf32>, %ht: tensor<8xf32>):
    %next = rop.generic bounds [8] maps [affine_map<(o) -> (o)>, affine_map<(o) -> (o)>, affine_map<(o) -> (o)>, affine_map<(o) -> (o)>]
        ins(%at, %bt, %ht : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
    ^bb0(%p: f32, %q: f32, %r: f32):
      %0 = arith.addf %p, %q : f32
      %1 = arith.mulf %0, %r : f32
      rop.yield %1 : f32
    } -> tensor<8xf32>
    rop.yield %next : tensor<8xf32>
  } -> tensor<8xf32>
  func.return %last, %twice : tensor<8xf32>, tensor<4x8xf32>
}
