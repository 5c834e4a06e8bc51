// RUN: rammer-opt %s -p materialize-scan-state --split-input-file | filecheck %s
// RUN: rammer-opt %s -p materialize-scan-state,absorb-views,write-in-place --split-input-file | filecheck %s --check-prefix=MERGED
// RUN: rammer-opt %s -p materialize-scan-state,materialize-scan-state --split-input-file | filecheck %s

// The length is that of the tensors. State h is a scanned result too: five rows for four steps; c has two rows.
// CHECK-LABEL: @known_length
// CHECK:         %[[HE:.*]] = tensor.empty() : tensor<5x8xf32>
// CHECK-NEXT:    %[[H:.*]] = rop.generic bounds [8] maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (0, d0)>] ins(%h0 : tensor<8xf32>) into(%[[HE]] : tensor<5x8xf32>)
// CHECK:         %[[CE:.*]] = tensor.empty() : tensor<2x8xf32>
// CHECK-NEXT:    %[[C:.*]] = rop.generic bounds [8] maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (0, d0)>] ins(%c0 : tensor<8xf32>) into(%[[CE]] : tensor<2x8xf32>)
// CHECK:         %[[R:.*]], %[[S:.*]] = rop.scan %{{.*}} carried(%[[H]], %[[C]] : tensor<5x8xf32>, tensor<2x8xf32>) captured(%x : tensor<4x8xf32>) {
// CHECK-NEXT:    ^bb0(%[[T:.*]]: index, %[[HS:.*]]: tensor<5x8xf32>, %[[CS:.*]]: tensor<2x8xf32>, %[[X:.*]]: tensor<4x8xf32>):
// CHECK-NEXT:      %[[XT:.*]] = rop.generic bounds [8] maps [affine_map<(d0)[s0] -> (s0, d0)>, affine_map<(d0)[s0] -> (d0)>] ins(%[[X]] : tensor<4x8xf32>) at(%[[T]])
// CHECK:           %[[HT:.*]] = rop.generic bounds [8] maps [affine_map<(d0)[s0] -> (s0, d0)>, affine_map<(d0)[s0] -> (d0)>] ins(%[[HS]] : tensor<5x8xf32>) at(%[[T]])
// CHECK:           %[[CT:.*]] = rop.generic bounds [8] maps [affine_map<(d0)[s0] -> ((s0 mod 2), d0)>, affine_map<(d0)[s0] -> (d0)>] ins(%[[CS]] : tensor<2x8xf32>) at(%[[T]])
// CHECK:           %[[HN:.*]], %[[CN:.*]] = rop.generic bounds [8] {{.*}} ins(%[[XT]], %[[HT]], %[[CT]] :
// CHECK:           %[[HW:.*]] = rop.generic bounds [8] maps [affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> ((s0 + 1), d0)>] ins(%[[HN]] : tensor<8xf32>) into(%[[HS]] : tensor<5x8xf32>) at(%[[T]])
// CHECK:           %[[CW:.*]] = rop.generic bounds [8] maps [affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> (((s0 + 1) mod 2), d0)>] ins(%[[CN]] : tensor<8xf32>) into(%[[CS]] : tensor<2x8xf32>) at(%[[T]])
// CHECK:           rop.yield %[[HW]], %[[CW]] : tensor<5x8xf32>, tensor<2x8xf32>
// CHECK-NEXT:    } -> tensor<5x8xf32>, tensor<2x8xf32>
// CHECK-NEXT:    %[[ALL:.*]] = rop.generic bounds [4, 8] maps [affine_map<(d0, d1) -> ((d0 + 1), d1)>, affine_map<(d0, d1) -> (d0, d1)>] ins(%[[R]] : tensor<5x8xf32>)
// CHECK:         %[[LAST:.*]] = rop.generic bounds [8] maps [affine_map<(d0) -> (0, d0)>, affine_map<(d0) -> (d0)>] ins(%[[S]] : tensor<2x8xf32>)
// CHECK:         func.return %[[ALL]], %[[LAST]]

// MERGED-LABEL: @known_length
// MERGED:         rop.scan
// MERGED-NEXT:    ^bb0(%[[T:.*]]: index, %[[H:.*]]: tensor<5x8xf32>, %[[C:.*]]: tensor<2x8xf32>, %[[X:.*]]: tensor<4x8xf32>):
// MERGED-NEXT:      %[[HN:.*]], %[[CN:.*]] = rop.generic bounds [8] {{.*}} ins(%[[X]], %[[H]], %[[C]] : {{.*}} into(%[[H]], %[[C]] : {{.*}} at(%[[T]])
// MERGED-NOT:       rop.generic
// MERGED:           rop.yield %[[HN]], %[[CN]]
func.func @known_length(%x: tensor<4x8xf32>, %h0: tensor<8xf32>, %c0: tensor<8xf32>) -> (tensor<4x8xf32>, tensor<8xf32>) {
  %n = arith.constant 4 : index
  %h, %c, %all = rop.scan %n scanned(%x : tensor<4x8xf32>) carried(%h0, %c0 : tensor<8xf32>, tensor<8xf32>) {
  ^bb0(%t: index, %xt: tensor<8xf32>, %ht: tensor<8xf32>, %ct: tensor<8xf32>):
    %hn, %cn = rop.generic bounds [8]
      maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>]
      ins(%xt, %ht, %ct : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
    ^bb0(%p: f32, %q: f32, %r: f32):
      %0 = arith.addf %p, %q : f32
      %1 = arith.mulf %0, %r : f32
      rop.yield %1, %0 : f32, f32
    } -> tensor<8xf32>, tensor<8xf32>
    rop.yield %hn, %cn, %hn : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  } -> tensor<8xf32>, tensor<8xf32>, tensor<4x8xf32>
  func.return %all, %c : tensor<4x8xf32>, tensor<8xf32>
}

// -----

// A length that is known only when the program runs: rows from there on must be zero, and the last row is read at it.
// CHECK-LABEL: @run_time_length
// CHECK-NEXT:    %[[Z:.*]] = rop.generic bounds [5, 8] maps [affine_map<(d0, d1) -> (d0, d1)>] {
// CHECK-NEXT:      arith.constant 0.000000e+00 : f32
// CHECK:         %[[H:.*]] = rop.generic bounds [8] maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (0, d0)>] ins(%h0 : tensor<8xf32>) into(%[[Z]] : tensor<5x8xf32>) {
// CHECK:         %[[R:.*]] = rop.scan %n carried(%[[H]] : tensor<5x8xf32>) captured(%x : tensor<4x8xf32>)
// CHECK:         rop.generic bounds [8] maps [affine_map<(d0)[s0] -> (s0, d0)>, affine_map<(d0)[s0] -> (d0)>] ins(%[[R]] : tensor<5x8xf32>) at(%n)
// CHECK:         rop.generic bounds [4, 8] maps [affine_map<(d0, d1) -> ((d0 + 1), d1)>, {{.*}} ins(%[[R]] : tensor<5x8xf32>)
func.func @run_time_length(%x: tensor<4x8xf32>, %h0: tensor<8xf32>, %n: index) -> (tensor<8xf32>, tensor<4x8xf32>) {
  %h, %all = rop.scan %n scanned(%x : tensor<4x8xf32>) carried(%h0 : tensor<8xf32>) {
  ^bb0(%t: index, %xt: tensor<8xf32>, %ht: tensor<8xf32>):
    %hn = rop.generic bounds [8] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>]
      ins(%xt, %ht : tensor<8xf32>, tensor<8xf32>) {
    ^bb0(%p: f32, %q: f32):
      %0 = arith.addf %p, %q : f32
      rop.yield %0 : f32
    } -> tensor<8xf32>
    rop.yield %hn, %hn : tensor<8xf32>, tensor<8xf32>
  } -> tensor<8xf32>, tensor<4x8xf32>
  func.return %h, %all : tensor<8xf32>, tensor<4x8xf32>
}

// -----

// In reverse, the first state is behind the last row: with a length that is not known, in a tensor of its own.
// CHECK-LABEL: @reverse
// CHECK-NEXT:    %[[E:.*]] = tensor.empty() : tensor<2x8xf32>
// CHECK-NEXT:    %[[H:.*]] = rop.generic bounds [8] maps [affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> ((s0 mod 2), d0)>] ins(%h0 : tensor<8xf32>) into(%[[E]] : tensor<2x8xf32>) at(%n)
// CHECK:         %[[Z:.*]] = rop.generic bounds [4, 8]
// CHECK:         %[[R:.*]], %[[ALL:.*]] = rop.scan %n reverse carried(%[[H]], %[[Z]] : tensor<2x8xf32>, tensor<4x8xf32>) captured(%x : tensor<4x8xf32>)
// CHECK:           affine_map<(d0)[s0] -> (((s0 + 1) mod 2), d0)>
// CHECK:           affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> ((s0 mod 2), d0)>
// CHECK:           affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> (s0, d0)>
// CHECK:         %[[LAST:.*]] = rop.generic bounds [8] maps [affine_map<(d0) -> (0, d0)>, affine_map<(d0) -> (d0)>] ins(%[[R]] : tensor<2x8xf32>) {
// CHECK:         func.return %[[LAST]], %[[ALL]]
func.func @reverse(%x: tensor<4x8xf32>, %h0: tensor<8xf32>, %n: index) -> (tensor<8xf32>, tensor<4x8xf32>) {
  %h, %all = rop.scan %n reverse scanned(%x : tensor<4x8xf32>) carried(%h0 : tensor<8xf32>) {
  ^bb0(%t: index, %xt: tensor<8xf32>, %ht: tensor<8xf32>):
    %hn = rop.generic bounds [8] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>]
      ins(%xt, %ht : tensor<8xf32>, tensor<8xf32>) {
    ^bb0(%p: f32, %q: f32):
      %0 = arith.addf %p, %q : f32
      rop.yield %0 : f32
    } -> tensor<8xf32>
    rop.yield %hn, %hn : tensor<8xf32>, tensor<8xf32>
  } -> tensor<8xf32>, tensor<4x8xf32>
  func.return %h, %all : tensor<8xf32>, tensor<4x8xf32>
}

// -----

// In reverse over all rows, the result is the first rows of the state; a second result of the same value is a view too.
// The length is known, so that steps count up and rows down.
// CHECK-LABEL: @reverse_known_length
// CHECK:         ins(%h0 : tensor<8xf32>) into(%{{.*}} : tensor<5x8xf32>)
// CHECK:         %[[R:.*]] = rop.scan %{{.*}} carried(%{{.*}} : tensor<5x8xf32>) captured(%x : tensor<4x8xf32>)
// CHECK:           affine_map<(d0)[s0] -> (((s0 * -1) + 3), d0)>
// CHECK:           affine_map<(d0)[s0] -> (((s0 * -1) + 4), d0)>
// CHECK:           affine_map<(d0)[s0] -> (((s0 * -1) + 3), d0)>
// CHECK:         %[[A:.*]] = rop.generic bounds [4, 8] maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] ins(%[[R]] : tensor<5x8xf32>)
// CHECK:         %[[B:.*]] = rop.generic bounds [4, 8] maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] ins(%[[R]] : tensor<5x8xf32>)
// CHECK:         func.return %[[A]], %[[B]]
func.func @reverse_known_length(%x: tensor<4x8xf32>, %h0: tensor<8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %n = arith.constant 4 : index
  %h, %a, %b = rop.scan %n reverse scanned(%x : tensor<4x8xf32>) carried(%h0 : tensor<8xf32>) {
  ^bb0(%t: index, %xt: tensor<8xf32>, %ht: tensor<8xf32>):
    %hn = rop.generic bounds [8] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>]
      ins(%xt, %ht : tensor<8xf32>, tensor<8xf32>) {
    ^bb0(%p: f32, %q: f32):
      %0 = arith.addf %p, %q : f32
      rop.yield %0 : f32
    } -> tensor<8xf32>
    rop.yield %hn, %hn, %hn : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  } -> tensor<8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  func.return %a, %b : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// A scan that writes its state in place already is left alone.
// CHECK-LABEL: @in_place
// CHECK-NEXT:    rop.scan %n carried(%h0 : tensor<5x8xf32>) {
// CHECK-NEXT:    ^bb0(%{{.*}}: index, %{{.*}}: tensor<5x8xf32>):
// CHECK-NEXT:      rop.operator
func.func @in_place(%h0: tensor<5x8xf32>, %n: index) -> tensor<5x8xf32> {
  %h = rop.scan %n carried(%h0 : tensor<5x8xf32>) {
  ^bb0(%t: index, %ht: tensor<5x8xf32>):
    %hn = rop.operator ins(%ht, %t : tensor<5x8xf32>, index) {
    ^bb0(%a: tensor<5x8xf32>, %s: index):
      %0 = rop.generic bounds [8] maps [affine_map<(i)[t] -> (t, i)>, affine_map<(i)[t] -> (t + 1, i)>]
        ins(%a : tensor<5x8xf32>) into(%a : tensor<5x8xf32>) at(%s) {
      ^bb0(%p: f32):
        %q = arith.negf %p : f32
        rop.yield %q : f32
      } -> tensor<5x8xf32>
      rop.yield %0 : tensor<5x8xf32>
    } -> tensor<5x8xf32>
    rop.yield %hn : tensor<5x8xf32>
  } -> tensor<5x8xf32>
  func.return %h : tensor<5x8xf32>
}
