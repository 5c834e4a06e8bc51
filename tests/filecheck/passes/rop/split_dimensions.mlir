// RUN: rammer-opt %s -p split-dimensions --split-input-file | filecheck %s
// RUN: rammer-opt %s -p split-dimensions,fuse-operators --split-input-file | filecheck %s --check-prefix=FUSED

// A grouped convolution: what follows it element by element gets loops for group and channel of the group.
// CHECK-LABEL: @grouped
// CHECK-NEXT:    %[[C:.*]] = rop.generic bounds [2, 3, 8, 5]
// CHECK-SAME:      affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>]
// CHECK:         tensor<2x3x8xf32>
// CHECK:         %[[B:.*]] = rop.generic bounds [2, 3, 8] maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (((d0 * 3) + d1))>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>] ins(%[[C]], %b
// CHECK:         %[[R:.*]] = rop.generic bounds [2, 3, 8] maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (((d0 * 3) + d1), d2)>] ins(%[[B]]
// CHECK:         func.return %[[R]] : tensor<6x8xf32>

// FUSED-LABEL: @grouped
// FUSED:         rop.operator
// FUSED-NOT:     rop.operator
// FUSED:         func.return
func.func @grouped(%x: tensor<10x8xf32>, %w: tensor<6x5xf32>, %b: tensor<6xf32>) -> tensor<6x8xf32> {
  %c = rop.generic bounds [2, 3, 8, 5]
    maps [affine_map<(g, o, x, i) -> (g * 5 + i, x)>, affine_map<(g, o, x, i) -> (g * 3 + o, i)>, affine_map<(g, o, x, i) -> (g * 3 + o, x)>]
    reduce [add] ins(%x, %w : tensor<10x8xf32>, tensor<6x5xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<6x8xf32>
  %d = rop.generic bounds [6, 8] maps [affine_map<(c, x) -> (c, x)>, affine_map<(c, x) -> (c)>, affine_map<(c, x) -> (c, x)>]
    ins(%c, %b : tensor<6x8xf32>, tensor<6xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.addf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<6x8xf32>
  %r = rop.generic bounds [6, 8] maps [affine_map<(c, x) -> (c, x)>, affine_map<(c, x) -> (c, x)>] ins(%d : tensor<6x8xf32>) {
  ^bb0(%p: f32):
    %z = arith.constant 0.0 : f32
    %m = arith.maximumf %p, %z : f32
    rop.yield %m : f32
  } -> tensor<6x8xf32>
  func.return %r : tensor<6x8xf32>
}

// -----

// Gates one behind the other in a dimension, through an element-wise generic in between: the contraction's loop over
// gates and units becomes two.
// CHECK-LABEL: @gates
// CHECK-NEXT:    %[[P:.*]] = rop.generic bounds [2, 4, 7] maps [affine_map<(d0, d1, d2) -> (d2)>, affine_map<(d0, d1, d2) -> (((d0 * 4) + d1), d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>]
// CHECK:         tensor<2x4xf32>
// CHECK:         %[[S:.*]] = rop.generic bounds [2, 4] maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (((d0 * 4) + d1))>, affine_map<(d0, d1) -> (d0, d1)>] ins(%[[P]], %x
// CHECK:         rop.generic bounds [4] maps [affine_map<(d0) -> (0, d0)>, affine_map<(d0) -> (1, d0)>, affine_map<(d0) -> (d0)>] ins(%[[S]], %[[S]]

// FUSED-LABEL: @gates
// FUSED:         rop.operator
// FUSED-NOT:     rop.operator
// FUSED:         func.return
func.func @gates(%x: tensor<8xf32>, %h: tensor<7xf32>, %w: tensor<8x7xf32>) -> tensor<4xf32> {
  %p = rop.generic bounds [8, 7] maps [affine_map<(j, k) -> (k)>, affine_map<(j, k) -> (j, k)>, affine_map<(j, k) -> (j)>]
    reduce [add] ins(%h, %w : tensor<7xf32>, tensor<8x7xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.mulf %a, %b : f32
    rop.yield %m : f32
  } -> tensor<8xf32>
  %s = rop.generic bounds [8] maps [affine_map<(j) -> (j)>, affine_map<(j) -> (j)>, affine_map<(j) -> (j)>]
    ins(%p, %x : tensor<8xf32>, tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.addf %a, %b : f32
    rop.yield %m : f32
  } -> tensor<8xf32>
  %u = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i + 4)>, affine_map<(i) -> (i)>]
    ins(%s, %s : tensor<8xf32>, tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.mulf %a, %b : f32
    rop.yield %m : f32
  } -> tensor<4xf32>
  func.return %u : tensor<4xf32>
}

// -----

// A matrix product over rows that are pairs of batch and step; its reader counts both, or the other way round.
// CHECK-LABEL: @reshaped_rows
// CHECK-NEXT:    %[[P:.*]] = rop.generic bounds [2, 3, 4, 5] maps [affine_map<(d0, d1, d2, d3) -> (((d0 * 3) + d1), d3)>, affine_map<(d0, d1, d2, d3) -> (d3, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>]
// CHECK:         tensor<2x3x4xf32>
// CHECK:         %[[A:.*]] = rop.generic bounds [2, 3, 4] maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>] ins(%[[P]], %b
// CHECK:         rop.generic bounds [2, 3, 4] maps [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (((d0 * 3) + d1), d2)>] ins(%[[A]]
func.func @reshaped_rows(%x: tensor<6x5xf32>, %w: tensor<5x4xf32>, %b: tensor<4xf32>) -> tensor<6x4xf32> {
  %p = rop.generic bounds [6, 4, 5] maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    reduce [add] ins(%x, %w : tensor<6x5xf32>, tensor<5x4xf32>) {
  ^bb0(%a: f32, %b_: f32):
    %m = arith.mulf %a, %b_ : f32
    rop.yield %m : f32
  } -> tensor<6x4xf32>
  %s = rop.generic bounds [2, 3, 4] maps [affine_map<(i, j, n) -> (i * 3 + j, n)>, affine_map<(i, j, n) -> (n)>, affine_map<(i, j, n) -> (i, j, n)>]
    ins(%p, %b : tensor<6x4xf32>, tensor<4xf32>) {
  ^bb0(%a: f32, %c: f32):
    %m = arith.addf %a, %c : f32
    rop.yield %m : f32
  } -> tensor<2x3x4xf32>
  %r = rop.generic bounds [6, 4] maps [affine_map<(m, n) -> (m floordiv 3, m mod 3, n)>, affine_map<(m, n) -> (m, n)>]
    ins(%s : tensor<2x3x4xf32>) {
  ^bb0(%a: f32):
    %m = math.exp %a : f32
    rop.yield %m : f32
  } -> tensor<6x4xf32>
  func.return %r : tensor<6x4xf32>
}

// -----

// Other loops' indices in a body are renumbered; a loop whose index the body asks for stays whole.
// CHECK-LABEL: @index
// CHECK-NEXT:    %[[C:.*]] = rop.generic bounds [2, 3, 5]
// CHECK:         %[[R:.*]] = rop.generic bounds [2, 3, 5] {{.*}} ins(%[[C]] : tensor<2x3x5xf32>)
// CHECK:           rop.index 2
// CHECK:         tensor<6x5xf32>
// CHECK:         rop.generic bounds [6, 5] maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] ins(%[[R]]
// CHECK:           rop.index 0
func.func @index(%x: tensor<6x5xf32>) -> tensor<6x5xf32> {
  %c = rop.generic bounds [2, 3, 5] maps [affine_map<(g, o, x) -> (g * 3 + o, x)>, affine_map<(g, o, x) -> (g * 3 + o, x)>]
    ins(%x : tensor<6x5xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<6x5xf32>
  %a = rop.generic bounds [6, 5] maps [affine_map<(c, x) -> (c, x)>, affine_map<(c, x) -> (c, x)>] ins(%c : tensor<6x5xf32>) {
  ^bb0(%p: f32):
    %i = rop.index 1
    %j = arith.index_cast %i : index to i32
    %k = arith.sitofp %j : i32 to f32
    %m = arith.addf %p, %k : f32
    rop.yield %m : f32
  } -> tensor<6x5xf32>
  %b = rop.generic bounds [6, 5] maps [affine_map<(c, x) -> (c, x)>, affine_map<(c, x) -> (c, x)>] ins(%a : tensor<6x5xf32>) {
  ^bb0(%p: f32):
    %i = rop.index 0
    %j = arith.index_cast %i : index to i32
    %k = arith.sitofp %j : i32 to f32
    %m = arith.addf %p, %k : f32
    rop.yield %m : f32
  } -> tensor<6x5xf32>
  func.return %b : tensor<6x5xf32>
}

// -----

// Nothing to do where loops agree, and nothing done where a reader is not element-wise or takes parts that others do
// not.
// CHECK-LABEL: @left_alone
// CHECK:         %[[C:.*]] = rop.generic bounds [2, 3]
// CHECK:         tensor<6xf32>
// CHECK:         rop.generic bounds [6, 4] {{.*}} reduce [add] ins(%[[C]],
// CHECK:         %[[N:.*]] = rop.generic bounds [6]
// CHECK:         tensor<6xf32>
// CHECK:         rop.generic bounds [3] {{.*}} ins(%[[N]]
// CHECK:         rop.generic bounds [3] {{.*}} ins(%[[N]]
func.func @left_alone(%x: tensor<6xf32>, %w: tensor<6x4xf32>) -> (tensor<4xf32>, tensor<3xf32>, tensor<3xf32>) {
  %c = rop.generic bounds [2, 3] maps [affine_map<(g, o) -> (g * 3 + o)>, affine_map<(g, o) -> (g * 3 + o)>] ins(%x : tensor<6xf32>) {
  ^bb0(%p: f32):
    %m = arith.negf %p : f32
    rop.yield %m : f32
  } -> tensor<6xf32>
  %p = rop.generic bounds [6, 4] maps [affine_map<(k, n) -> (k)>, affine_map<(k, n) -> (k, n)>, affine_map<(k, n) -> (n)>]
    reduce [add] ins(%c, %w : tensor<6xf32>, tensor<6x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.mulf %a, %b : f32
    rop.yield %m : f32
  } -> tensor<4xf32>
  %n = rop.generic bounds [6] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<6xf32>) {
  ^bb0(%a: f32):
    %m = arith.negf %a : f32
    rop.yield %m : f32
  } -> tensor<6xf32>
  %l = rop.generic bounds [3] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%n : tensor<6xf32>) {
  ^bb0(%a: f32):
    %m = math.exp %a : f32
    rop.yield %m : f32
  } -> tensor<3xf32>
  %r = rop.generic bounds [3] maps [affine_map<(i) -> (i + 3)>, affine_map<(i) -> (i)>] ins(%n : tensor<6xf32>) {
  ^bb0(%a: f32):
    %m = math.sqrt %a : f32
    rop.yield %m : f32
  } -> tensor<3xf32>
  func.return %p, %l, %r : tensor<4xf32>, tensor<3xf32>, tensor<3xf32>
}
