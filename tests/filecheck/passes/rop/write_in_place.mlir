// RUN: rammer-opt %s -p write-in-place --split-input-file | filecheck %s
// RUN: rammer-opt %s -p write-in-place --split-input-file --print-debuginfo | filecheck %s --check-prefix=LOC

// A concatenation without copies: the copies' order follows their sources', the buffer moves up to the first.
// CHECK-LABEL: @concatenation
// CHECK-NEXT:    %[[E:.*]] = tensor.empty() : tensor<2x7xf32>
// CHECK-NEXT:    %[[N:.*]] = rop.generic bounds [2, 3] maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, (d1 + 4))>] ins(%x : tensor<2x3xf32>) into(%[[E]] : tensor<2x7xf32>) {
// CHECK:           arith.negf
// CHECK:         %[[S:.*]] = rop.generic bounds [2, 4] maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] ins(%y : tensor<2x4xf32>) into(%[[N]] : tensor<2x7xf32>) {
// CHECK:           math.sqrt
// CHECK:         func.return %[[S]] : tensor<2x7xf32>

// LOC-LABEL: @concatenation
// LOC:         tensor<2x7xf32> loc(fused["negate", "concat"])
func.func @concatenation(%x: tensor<2x3xf32>, %y: tensor<2x4xf32>) -> tensor<2x7xf32> {
  %n = rop.generic bounds [2, 3] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] ins(%x : tensor<2x3xf32>) {
  ^bb0(%a: f32):
    %b = arith.negf %a : f32
    rop.yield %b : f32
  } -> tensor<2x3xf32> loc("negate")
  %s = rop.generic bounds [2, 4] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] ins(%y : tensor<2x4xf32>) {
  ^bb0(%a: f32):
    %b = math.sqrt %a : f32
    rop.yield %b : f32
  } -> tensor<2x4xf32>
  %e = tensor.empty() : tensor<2x7xf32>
  %0 = rop.generic bounds [2, 4] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]
    ins(%s : tensor<2x4xf32>) into(%e : tensor<2x7xf32>) {
  ^bb0(%a: f32):
    rop.yield %a : f32
  } -> tensor<2x7xf32> loc("concat")
  %1 = rop.generic bounds [2, 3] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j + 4)>]
    ins(%n : tensor<2x3xf32>) into(%0 : tensor<2x7xf32>) {
  ^bb0(%a: f32):
    rop.yield %a : f32
  } -> tensor<2x7xf32> loc("concat")
  func.return %1 : tensor<2x7xf32>
}

// -----

// As in a dense block: what is concatenated is also read, and concatenated again with what is made of it. Everything
// is written into the last buffer.
// CHECK-LABEL: @nested_concatenation
// CHECK-NEXT:    %[[E:.*]] = tensor.empty() : tensor<9xf32>
// CHECK-NEXT:    %[[A:.*]] = rop.generic bounds [4] maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] ins(%x : tensor<4xf32>) into(%[[E]] : tensor<9xf32>)
// CHECK:         %[[B:.*]] = rop.generic bounds [3] maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ((d0 + 4))>] ins(%[[A]] : tensor<9xf32>) into(%[[A]] : tensor<9xf32>)
// CHECK:         %[[C:.*]] = rop.generic bounds [2, 7] maps [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> ((d0 + 7))>] reduce [add] ins(%[[B]] : tensor<9xf32>) into(%[[B]] : tensor<9xf32>)
// CHECK-NOT:     rop.generic
// CHECK:         func.return %[[C]] : tensor<9xf32>
func.func @nested_concatenation(%x: tensor<4xf32>) -> tensor<9xf32> {
  %a = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    %q = arith.negf %p : f32
    rop.yield %q : f32
  } -> tensor<4xf32>
  %b = rop.generic bounds [3] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%a : tensor<4xf32>) {
  ^bb0(%p: f32):
    %q = math.sqrt %p : f32
    rop.yield %q : f32
  } -> tensor<3xf32>
  %e = tensor.empty() : tensor<7xf32>
  %0 = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%a : tensor<4xf32>) into(%e : tensor<7xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<7xf32>
  %1 = rop.generic bounds [3] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i + 4)>] ins(%b : tensor<3xf32>) into(%0 : tensor<7xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<7xf32>
  %c = rop.generic bounds [2, 7] maps [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i)>] reduce [add] ins(%1 : tensor<7xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<2xf32>
  %f = tensor.empty() : tensor<9xf32>
  %2 = rop.generic bounds [7] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%1 : tensor<7xf32>) into(%f : tensor<9xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<9xf32>
  %3 = rop.generic bounds [2] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i + 7)>] ins(%c : tensor<2xf32>) into(%2 : tensor<9xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<9xf32>
  func.return %3 : tensor<9xf32>
}

// -----

// The same tensor twice: one copy is left, which reads what was written.
// CHECK-LABEL: @twice
// CHECK-NEXT:    %[[E:.*]] = tensor.empty() : tensor<8xf32>
// CHECK-NEXT:    %[[A:.*]] = rop.generic bounds [4] {{.*}} ins(%x : tensor<4xf32>) into(%[[E]] : tensor<8xf32>)
// CHECK:         %[[B:.*]] = rop.generic bounds [4] maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ((d0 + 4))>] ins(%[[A]] : tensor<8xf32>) into(%[[A]] : tensor<8xf32>)
// CHECK:         func.return %[[B]] : tensor<8xf32>
func.func @twice(%x: tensor<4xf32>) -> tensor<8xf32> {
  %a = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    %q = arith.negf %p : f32
    rop.yield %q : f32
  } -> tensor<4xf32>
  %e = tensor.empty() : tensor<8xf32>
  %0 = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%a : tensor<4xf32>) into(%e : tensor<8xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<8xf32>
  %1 = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i + 4)>] ins(%a : tensor<4xf32>) into(%0 : tensor<8xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<8xf32>
  func.return %1 : tensor<8xf32>
}

// -----

// A view that leaves the function is written by its producer, split or joined dimensions included.
// CHECK-LABEL: @returned_view
// CHECK-NEXT:    %[[R:.*]] = rop.generic bounds [4, 6] maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> ((d1 floordiv 3), (d1 mod 3), d0)>] ins(%x : tensor<4x6xf32>) {
// CHECK:         func.return %[[R]] : tensor<2x3x4xf32>
func.func @returned_view(%x: tensor<4x6xf32>) -> tensor<2x3x4xf32> {
  %n = rop.generic bounds [4, 6] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] ins(%x : tensor<4x6xf32>) {
  ^bb0(%p: f32):
    %q = arith.negf %p : f32
    rop.yield %q : f32
  } -> tensor<4x6xf32>
  %v = rop.generic bounds [2, 3, 4] maps [affine_map<(i, j, k) -> (k, i * 3 + j)>, affine_map<(i, j, k) -> (i, j, k)>] ins(%n : tensor<4x6xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<2x3x4xf32>
  func.return %v : tensor<2x3x4xf32>
}

// -----

// Of two results, the one that is not copied gets a tensor of its own; symbols of the copy's map move along.
// CHECK-LABEL: @two_results
// CHECK-NEXT:    %[[E:.*]] = tensor.empty() : tensor<4xf32>
// CHECK-NEXT:    %[[N:.*]], %[[S:.*]] = rop.generic bounds [4] maps [affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> ((s0 + 1), d0)>] ins(%x : tensor<4xf32>) into(%[[E]], %rows : tensor<4xf32>, tensor<3x4xf32>) at(%t)
// CHECK:         func.return %[[N]], %[[S]] : tensor<4xf32>, tensor<3x4xf32>
func.func @two_results(%x: tensor<4xf32>, %rows: tensor<3x4xf32>, %t: index) -> (tensor<4xf32>, tensor<3x4xf32>) {
  %n, %s = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    %q = arith.negf %p : f32
    %r = math.sqrt %p : f32
    rop.yield %q, %r : f32, f32
  } -> tensor<4xf32>, tensor<4xf32>
  %row = rop.generic bounds [4] maps [affine_map<(i)[t] -> (i)>, affine_map<(i)[t] -> (t + 1, i)>] ins(%s : tensor<4xf32>) into(%rows : tensor<3x4xf32>) at(%t) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<3x4xf32>
  func.return %n, %row : tensor<4xf32>, tensor<3x4xf32>
}

// -----

// Copies stay: of function arguments; of a source that something else than a generic needs; where elements are left out;
// where the destination needs the source; and where a padded read would find what is beside the source.
// CHECK-LABEL: @copies_that_stay
// CHECK:         rop.generic {{.*}} ins(%x : tensor<4xf32>) into(
// CHECK:         %[[U:.*]] = rop.generic {{.*}} -> (d0)>] ins(%x : tensor<4xf32>) {
// CHECK:         rop.generic {{.*}} -> ((d0 + 4))>] ins(%[[U]] : tensor<4xf32>) into(
// CHECK:         %[[S:.*]] = rop.generic {{.*}} -> (d0)>] ins(%x : tensor<4xf32>) {
// CHECK:         rop.generic bounds [2] {{.*}} ins(%[[S]] : tensor<4xf32>) {
// CHECK:         %[[F:.*]] = rop.generic bounds [8] {{.*}} -> (d0)>] ins(%[[S2:.*]] : tensor<4xf32>)
// CHECK:         rop.generic bounds [4] {{.*}} ins(%[[S2]] : tensor<4xf32>) into(%[[F]] : tensor<8xf32>)
// CHECK:         rop.generic bounds [4] {{.*}} pad [0.000000e+00 : f32] ins(%[[P:.*]] : tensor<4xf32>)
// CHECK:         rop.generic bounds [4] {{.*}} ins(%[[P]] : tensor<4xf32>) into(
func.func @copies_that_stay(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<8xf32>, tensor<2xf32>, tensor<8xf32>, tensor<4xf32>, tensor<8xf32>) {
  %e = tensor.empty() : tensor<8xf32>
  %0 = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<4xf32>) into(%e : tensor<8xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<8xf32>
  %used = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    %q = arith.negf %p : f32
    rop.yield %q : f32
  } -> tensor<4xf32>
  %1 = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i + 4)>] ins(%used : tensor<4xf32>) into(%0 : tensor<8xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<8xf32>
  %s = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    %q = math.sqrt %p : f32
    rop.yield %q : f32
  } -> tensor<4xf32>
  %half = rop.generic bounds [2] maps [affine_map<(i) -> (i * 2)>, affine_map<(i) -> (i)>] ins(%s : tensor<4xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<2xf32>
  %s2 = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    %q = math.absf %p : f32
    rop.yield %q : f32
  } -> tensor<4xf32>
  %filled = rop.generic bounds [8] maps [affine_map<(i) -> (i floordiv 2)>, affine_map<(i) -> (i)>] ins(%s2 : tensor<4xf32>) {
  ^bb0(%p: f32):
    %q = math.sqrt %p : f32
    rop.yield %q : f32
  } -> tensor<8xf32>
  %2 = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%s2 : tensor<4xf32>) into(%filled : tensor<8xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<8xf32>
  %padded = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    %q = math.exp %p : f32
    rop.yield %q : f32
  } -> tensor<4xf32>
  %shift = rop.generic bounds [4] maps [affine_map<(i) -> (i + 1)>, affine_map<(i) -> (i)>] pad [0.0 : f32] ins(%padded : tensor<4xf32>) {
  ^bb0(%p: f32):
    %q = arith.negf %p : f32
    rop.yield %q : f32
  } -> tensor<4xf32>
  %f = tensor.empty() : tensor<8xf32>
  %3 = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%padded : tensor<4xf32>) into(%f : tensor<8xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<8xf32>
  func.return %used, %1, %half, %2, %shift, %3 : tensor<4xf32>, tensor<8xf32>, tensor<2xf32>, tensor<8xf32>, tensor<4xf32>, tensor<8xf32>
}
