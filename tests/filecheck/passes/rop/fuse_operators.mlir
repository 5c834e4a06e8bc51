// RUN: rammer-opt %s -p fuse-operators --split-input-file | filecheck %s
// RUN: rammer-opt %s -p 'fuse-operators{row_limit=7}' --split-input-file | filecheck %s --check-prefix=LIMIT
// RUN: rammer-opt %s -p fuse-operators --split-input-file --print-debuginfo | filecheck %s --check-prefix=LOC

// A matrix product with bias, residual and activation. Of two products that meet, the one on the longer path takes the
// addition along.
// CHECK-LABEL: @epilogue
// CHECK-NEXT:    %[[A:.*]] = rop.operator ins(%x, %w : tensor<4x4xf32>, tensor<4x4xf32>) {
// CHECK-NEXT:    ^bb0(%[[X:.*]]: tensor<4x4xf32>, %[[W:.*]]: tensor<4x4xf32>):
// CHECK-NEXT:      %[[P:.*]] = rop.generic bounds [4, 4, 4] {{.*}} reduce [add] ins(%[[X]], %[[W]]
// CHECK:           %[[R:.*]] = rop.generic bounds [4, 4] {{.*}} ins(%[[P]] :
// CHECK:           rop.yield %[[R]] : tensor<4x4xf32>
// CHECK-NEXT:    } -> tensor<4x4xf32>
// CHECK-NEXT:    %[[B:.*]] = rop.operator ins(%x, %w : tensor<4x4xf32>, tensor<4x4xf32>) {
// CHECK:           rop.generic bounds [4, 4, 4]
// CHECK-NOT:       rop.generic
// CHECK:         %[[C:.*]] = rop.operator ins(%[[A]], %w, %b, %[[B]] : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4xf32>, tensor<4x4xf32>) {
// CHECK-NEXT:    ^bb0(%[[A1:.*]]: tensor<4x4xf32>, %[[W1:.*]]: tensor<4x4xf32>, %[[B1:.*]]: tensor<4xf32>, %[[S1:.*]]: tensor<4x4xf32>):
// CHECK-NEXT:      %[[P1:.*]] = rop.generic bounds [4, 4, 4] {{.*}} ins(%[[A1]], %[[W1]]
// CHECK:           %[[Q1:.*]] = rop.generic bounds [4, 4] {{.*}} ins(%[[P1]], %[[B1]]
// CHECK:           %[[R1:.*]] = rop.generic bounds [4, 4] {{.*}} ins(%[[Q1]], %[[S1]]
// CHECK:           rop.yield %[[R1]]
// CHECK:         func.return %[[C]]

// LOC-LABEL: @epilogue
// LOC:         } -> tensor<4x4xf32> loc(fused["conv1", "relu1"])
func.func @epilogue(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>, %b: tensor<4xf32>) -> tensor<4x4xf32> {
  %p = rop.generic bounds [4, 4, 4] maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    reduce [add] ins(%x, %w : tensor<4x4xf32>, tensor<4x4xf32>) {
  ^bb0(%a: f32, %c: f32):
    %m = arith.mulf %a, %c : f32
    rop.yield %m : f32
  } -> tensor<4x4xf32> loc("conv1")
  %r = rop.generic bounds [4, 4] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>] ins(%p : tensor<4x4xf32>) {
  ^bb0(%a: f32):
    %z = arith.constant 0.0 : f32
    %m = arith.maximumf %a, %z : f32
    rop.yield %m : f32
  } -> tensor<4x4xf32> loc("relu1")
  %q = rop.generic bounds [4, 4, 4] maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    reduce [add] ins(%r, %w : tensor<4x4xf32>, tensor<4x4xf32>) {
  ^bb0(%a: f32, %c: f32):
    %m = arith.mulf %a, %c : f32
    rop.yield %m : f32
  } -> tensor<4x4xf32> loc("conv2")
  %s = rop.generic bounds [4, 4, 4] maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    reduce [add] ins(%x, %w : tensor<4x4xf32>, tensor<4x4xf32>) {
  ^bb0(%a: f32, %c: f32):
    %m = arith.mulf %a, %c : f32
    rop.yield %m : f32
  } -> tensor<4x4xf32> loc("shortcut")
  %t = rop.generic bounds [4, 4] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>]
    ins(%q, %b : tensor<4x4xf32>, tensor<4xf32>) {
  ^bb0(%a: f32, %c: f32):
    %m = arith.addf %a, %c : f32
    rop.yield %m : f32
  } -> tensor<4x4xf32> loc("bias")
  %u = rop.generic bounds [4, 4] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>]
    ins(%t, %s : tensor<4x4xf32>, tensor<4x4xf32>) {
  ^bb0(%a: f32, %c: f32):
    %m = arith.addf %a, %c : f32
    rop.yield %m : f32
  } -> tensor<4x4xf32> loc("add")
  func.return %u : tensor<4x4xf32>
}

// -----

// Softmax over the rows of a matrix product: one operator, but not with the product, which would lose a dimension to
// cut. The scaling of the product stays with the product. With rows longer than the limit, they are apart.
// CHECK-LABEL: @softmax
// CHECK-NEXT:    %[[P:.*]] = rop.operator ins(%x, %w
// CHECK:           rop.generic bounds [4, 8, 4]
// CHECK:           rop.generic bounds [4, 8]
// CHECK:         %[[S:.*]] = rop.operator ins(%[[P]] : tensor<4x8xf32>) {
// CHECK:           reduce [maximum]
// CHECK:           math.exp
// CHECK:           reduce [add]
// CHECK:           arith.divf
// CHECK:         func.return %[[S]]

// LIMIT-LABEL: @softmax
// LIMIT-COUNT-5: rop.operator
// LIMIT-NOT:     rop.operator
// LIMIT:         func.return
func.func @softmax(%x: tensor<4x4xf32>, %w: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %p = rop.generic bounds [4, 8, 4] maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    reduce [add] ins(%x, %w : tensor<4x4xf32>, tensor<4x8xf32>) {
  ^bb0(%a: f32, %c: f32):
    %m = arith.mulf %a, %c : f32
    rop.yield %m : f32
  } -> tensor<4x8xf32>
  %q = rop.generic bounds [4, 8] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>] ins(%p : tensor<4x8xf32>) {
  ^bb0(%a: f32):
    %s = arith.constant 0.5 : f32
    %m = arith.mulf %a, %s : f32
    rop.yield %m : f32
  } -> tensor<4x8xf32>
  %h = rop.generic bounds [4, 8] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>] reduce [maximum] ins(%q : tensor<4x8xf32>) {
  ^bb0(%a: f32):
    rop.yield %a : f32
  } -> tensor<4xf32>
  %e = rop.generic bounds [4, 8] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>, affine_map<(m, n) -> (m, n)>]
    ins(%q, %h : tensor<4x8xf32>, tensor<4xf32>) {
  ^bb0(%a: f32, %c: f32):
    %d = arith.subf %a, %c : f32
    %m = math.exp %d : f32
    rop.yield %m : f32
  } -> tensor<4x8xf32>
  %t = rop.generic bounds [4, 8] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>] reduce [add] ins(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32):
    rop.yield %a : f32
  } -> tensor<4xf32>
  %r = rop.generic bounds [4, 8] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>, affine_map<(m, n) -> (m, n)>]
    ins(%e, %t : tensor<4x8xf32>, tensor<4xf32>) {
  ^bb0(%a: f32, %c: f32):
    %m = arith.divf %a, %c : f32
    rop.yield %m : f32
  } -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// -----

// Layer normalisation: the element-wise root is joined by what is narrower (the inverse deviation) in the hope of row
// reductions, which come.
// CHECK-LABEL: @layer_norm
// CHECK-COUNT-1: rop.operator
// CHECK-NOT:     rop.operator
// CHECK:         func.return
func.func @layer_norm(%x: tensor<4x8xf32>, %g: tensor<8xf32>) -> tensor<4x8xf32> {
  %s = rop.generic bounds [4, 8] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>] reduce [add] ins(%x : tensor<4x8xf32>) {
  ^bb0(%a: f32):
    rop.yield %a : f32
  } -> tensor<4xf32>
  %m = rop.generic bounds [4] maps [affine_map<(m) -> (m)>, affine_map<(m) -> (m)>] ins(%s : tensor<4xf32>) {
  ^bb0(%a: f32):
    %c = arith.constant 0.125 : f32
    %d = arith.mulf %a, %c : f32
    rop.yield %d : f32
  } -> tensor<4xf32>
  %c = rop.generic bounds [4, 8] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>, affine_map<(m, n) -> (m, n)>]
    ins(%x, %m : tensor<4x8xf32>, tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %d = arith.subf %a, %b : f32
    rop.yield %d : f32
  } -> tensor<4x8xf32>
  %v = rop.generic bounds [4, 8] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>] reduce [add] ins(%c : tensor<4x8xf32>) {
  ^bb0(%a: f32):
    %d = arith.mulf %a, %a : f32
    rop.yield %d : f32
  } -> tensor<4xf32>
  %i = rop.generic bounds [4] maps [affine_map<(m) -> (m)>, affine_map<(m) -> (m)>] ins(%v : tensor<4xf32>) {
  ^bb0(%a: f32):
    %d = math.rsqrt %a : f32
    rop.yield %d : f32
  } -> tensor<4xf32>
  %n = rop.generic bounds [4, 8] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>, affine_map<(m, n) -> (m, n)>]
    ins(%c, %i : tensor<4x8xf32>, tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %d = arith.mulf %a, %b : f32
    rop.yield %d : f32
  } -> tensor<4x8xf32>
  %r = rop.generic bounds [4, 8] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>]
    ins(%n, %g : tensor<4x8xf32>, tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %d = arith.mulf %a, %b : f32
    rop.yield %d : f32
  } -> tensor<4x8xf32>
  func.return %r : tensor<4x8xf32>
}

// -----

// Hope that does not come true: the row reduction has another reader, so the narrow generic is apart too.
// CHECK-LABEL: @no_rows
// CHECK-COUNT-3: rop.operator
// CHECK-NOT:     rop.operator
// CHECK:         func.return
func.func @no_rows(%x: tensor<4x8xf32>) -> (tensor<4xf32>, tensor<4x8xf32>) {
  %s = rop.generic bounds [4, 8] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>] reduce [add] ins(%x : tensor<4x8xf32>) {
  ^bb0(%a: f32):
    rop.yield %a : f32
  } -> tensor<4xf32>
  %i = rop.generic bounds [4] maps [affine_map<(m) -> (m)>, affine_map<(m) -> (m)>] ins(%s : tensor<4xf32>) {
  ^bb0(%a: f32):
    %d = math.rsqrt %a : f32
    rop.yield %d : f32
  } -> tensor<4xf32>
  %n = rop.generic bounds [4, 8] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>, affine_map<(m, n) -> (m, n)>]
    ins(%x, %i : tensor<4x8xf32>, tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %d = arith.mulf %a, %b : f32
    rop.yield %d : f32
  } -> tensor<4x8xf32>
  func.return %s, %n : tensor<4xf32>, tensor<4x8xf32>
}

// -----

// One step of an LSTM cell of 8 units and batch 2 in a scan: the gates' contraction and the state update, with two
// results that are written in place, are one operator.
// CHECK-LABEL: @recurrent_step
// CHECK:         rop.scan
// CHECK-NEXT:    ^bb0(%[[T:.*]]: index, %[[H:.*]]: tensor<5x2x8xf32>, %[[C:.*]]: tensor<2x2x8xf32>, %[[W:.*]]: tensor<2x8x8xf32>):
// CHECK-NEXT:      %[[HN:.*]], %[[CN:.*]] = rop.operator ins(%[[H]], %[[W]], %[[T]], %[[C]] : tensor<5x2x8xf32>, tensor<2x8x8xf32>, index, tensor<2x2x8xf32>) {
// CHECK-NEXT:      ^bb0(%[[H1:.*]]: tensor<5x2x8xf32>, %[[W1:.*]]: tensor<2x8x8xf32>, %[[T1:.*]]: index, %[[C1:.*]]: tensor<2x2x8xf32>):
// CHECK-NEXT:        %[[G:.*]] = rop.generic bounds [2, 2, 8, 8] {{.*}} reduce [add] ins(%[[H1]], %[[W1]] : {{.*}} at(%[[T1]])
// CHECK:             rop.generic bounds [2, 8] {{.*}} ins(%[[G]], %[[G]], %[[C1]] : {{.*}} into(%[[H1]], %[[C1]] : {{.*}} at(%[[T1]])
// CHECK:           rop.yield %[[HN]], %[[CN]]
func.func @recurrent_step(%h0: tensor<5x2x8xf32>, %c0: tensor<2x2x8xf32>, %w: tensor<2x8x8xf32>, %n: index) -> (tensor<5x2x8xf32>, tensor<2x2x8xf32>) {
  %h, %c = rop.scan %n carried(%h0, %c0 : tensor<5x2x8xf32>, tensor<2x2x8xf32>) captured(%w : tensor<2x8x8xf32>) {
  ^bb0(%t: index, %hs: tensor<5x2x8xf32>, %cs: tensor<2x2x8xf32>, %r: tensor<2x8x8xf32>):
    %g = rop.generic bounds [2, 2, 8, 8]
      maps [affine_map<(b, g, u, k)[t] -> (t, b, k)>, affine_map<(b, g, u, k)[t] -> (g, u, k)>, affine_map<(b, g, u, k)[t] -> (b, g, u)>]
      reduce [add] ins(%hs, %r : tensor<5x2x8xf32>, tensor<2x8x8xf32>) at(%t) {
    ^bb0(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<2x2x8xf32>
    %hn, %cn = rop.generic bounds [2, 8]
      maps [affine_map<(b, u)[t] -> (b, 0, u)>, affine_map<(b, u)[t] -> (b, 1, u)>, affine_map<(b, u)[t] -> (t mod 2, b, u)>,
            affine_map<(b, u)[t] -> (t + 1, b, u)>, affine_map<(b, u)[t] -> ((t + 1) mod 2, b, u)>]
      ins(%g, %g, %cs : tensor<2x2x8xf32>, tensor<2x2x8xf32>, tensor<2x2x8xf32>) into(%hs, %cs : tensor<5x2x8xf32>, tensor<2x2x8xf32>) at(%t) {
    ^bb0(%p: f32, %q: f32, %s: f32):
      %cn = arith.addf %q, %s : f32
      %hn = arith.mulf %p, %cn : f32
      rop.yield %hn, %cn : f32, f32
    } -> tensor<5x2x8xf32>, tensor<2x2x8xf32>
    rop.yield %hn, %cn : tensor<5x2x8xf32>, tensor<2x2x8xf32>
  } -> tensor<5x2x8xf32>, tensor<2x2x8xf32>
  func.return %h, %c : tensor<5x2x8xf32>, tensor<2x2x8xf32>
}

// -----

// What is not fused: a producer that a contraction reads more than once; one that is broadcast; one whose value leaves;
// one that is read shifted or padded. Recipes of weights are left alone.
// CHECK:       rop.weight @derived
// CHECK-NOT:   rop.operator
// CHECK-LABEL: @apart
// CHECK-COUNT-8: rop.operator
// CHECK-NOT:     rop.operator
// CHECK:         func.return
rop.weight @source : tensor<8xf32> hash "00"
rop.weight @derived : tensor<8xf32> {
  %w = rop.get_weight @source : tensor<8xf32>
  %n = rop.generic bounds [8] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%w : tensor<8xf32>) {
  ^bb0(%a: f32):
    %b = arith.negf %a : f32
    rop.yield %b : f32
  } -> tensor<8xf32>
  rop.yield %n : tensor<8xf32>
}
func.func @apart(%x: tensor<8xf32>, %w: tensor<8x4xf32>, %y: tensor<4x8xf32>) -> (tensor<4xf32>, tensor<4x8xf32>, tensor<8xf32>, tensor<8xf32>) {
  %1 = rop.generic bounds [8] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<8xf32>) {
  ^bb0(%a: f32):
    %b = arith.negf %a : f32
    rop.yield %b : f32
  } -> tensor<8xf32>
  %2 = rop.generic bounds [4, 8] maps [affine_map<(n, k) -> (k)>, affine_map<(n, k) -> (k, n)>, affine_map<(n, k) -> (n)>]
    reduce [add] ins(%1, %w : tensor<8xf32>, tensor<8x4xf32>) {
  ^bb0(%a: f32, %c: f32):
    %m = arith.mulf %a, %c : f32
    rop.yield %m : f32
  } -> tensor<4xf32>
  %3 = rop.generic bounds [8] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<8xf32>) {
  ^bb0(%a: f32):
    %b = math.exp %a : f32
    rop.yield %b : f32
  } -> tensor<8xf32>
  %4 = rop.generic bounds [4, 8] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>]
    ins(%y, %3 : tensor<4x8xf32>, tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.addf %a, %b : f32
    rop.yield %m : f32
  } -> tensor<4x8xf32>
  %5 = rop.generic bounds [8] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<8xf32>) {
  ^bb0(%a: f32):
    %b = math.sqrt %a : f32
    rop.yield %b : f32
  } -> tensor<8xf32>
  %6 = rop.generic bounds [8] maps [affine_map<(i) -> (7 - i)>, affine_map<(i) -> (i)>] ins(%5 : tensor<8xf32>) {
  ^bb0(%a: f32):
    %b = arith.negf %a : f32
    rop.yield %b : f32
  } -> tensor<8xf32>
  %7 = rop.generic bounds [8] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%6 : tensor<8xf32>) {
  ^bb0(%a: f32):
    %b = math.absf %a : f32
    rop.yield %b : f32
  } -> tensor<8xf32>
  %8 = rop.generic bounds [8] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] pad [0.0 : f32] ins(%7 : tensor<8xf32>) {
  ^bb0(%a: f32):
    %b = math.exp %a : f32
    rop.yield %b : f32
  } -> tensor<8xf32>
  func.return %2, %4, %6, %8 : tensor<4xf32>, tensor<4x8xf32>, tensor<8xf32>, tensor<8xf32>
}

// -----

// Rows that wait for each other's sums all lie in the memory of a task: two of the greatest length, not three.
// CHECK-LABEL: @many_rows
// CHECK-COUNT-1: rop.operator
// CHECK-NOT:     rop.operator
// LIMIT-LABEL: @many_rows
// LIMIT-COUNT-2: rop.operator
func.func @many_rows(%x: tensor<4x7xf32>) -> tensor<4x7xf32> {
  %sum_a = rop.generic bounds [4, 7] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>]
      reduce [add] ins(%x : tensor<4x7xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  %a = rop.generic bounds [4, 7]
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>]
      ins(%x, %sum_a : tensor<4x7xf32>, tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %d = arith.divf %p, %q : f32
    rop.yield %d : f32
  } -> tensor<4x7xf32>
  %sum_b = rop.generic bounds [4, 7] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>]
      reduce [add] ins(%a : tensor<4x7xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  %b = rop.generic bounds [4, 7]
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>]
      ins(%a, %sum_b : tensor<4x7xf32>, tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %d = arith.divf %p, %q : f32
    rop.yield %d : f32
  } -> tensor<4x7xf32>
  %sum_c = rop.generic bounds [4, 7] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>]
      reduce [add] ins(%b : tensor<4x7xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  %c = rop.generic bounds [4, 7]
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>]
      ins(%b, %sum_c : tensor<4x7xf32>, tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %d = arith.divf %p, %q : f32
    rop.yield %d : f32
  } -> tensor<4x7xf32>
  %sum_d = rop.generic bounds [4, 7] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>]
      reduce [add] ins(%c : tensor<4x7xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<4xf32>
  %d = rop.generic bounds [4, 7]
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>]
      ins(%c, %sum_d : tensor<4x7xf32>, tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %e = arith.divf %p, %q : f32
    rop.yield %e : f32
  } -> tensor<4x7xf32>
  func.return %d : tensor<4x7xf32>
}
