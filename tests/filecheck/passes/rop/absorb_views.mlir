// RUN: rammer-opt %s -p absorb-views --split-input-file | filecheck %s
// RUN: rammer-opt %s -p 'absorb-views{limit=9}' --split-input-file | filecheck %s --check-prefix=LIMIT
// RUN: rammer-opt %s -p absorb-views --split-input-file --print-debuginfo | filecheck %s --check-prefix=LOC

// A transpose and a reshape are read through by a matrix product: [6, 4] -> [4, 6] -> [4, 2, 3] -> [12, 2].
// CHECK-LABEL: @transpose_and_reshape
// CHECK-NEXT:    rop.generic bounds [12, 5, 2]
// CHECK-SAME:      affine_map<(d0, d1, d2) -> (((d0 mod 3) + (d2 * 3)), (d0 floordiv 3))>
// CHECK-SAME:      affine_map<(d0, d1, d2) -> (d2, d1)>
// CHECK-SAME:      affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-SAME:      ins(%{{.*}}, %{{.*}} : tensor<6x4xf32>, tensor<2x5xf32>)
// CHECK:         func.return

// The map of the last view is too long.
// LIMIT-LABEL: @transpose_and_reshape
// LIMIT:         rop.generic bounds [4, 2, 3]
// LIMIT:         rop.generic bounds [12, 5, 2]

// LOC-LABEL: @transpose_and_reshape
// LOC:         tensor<12x5xf32> loc(fused["product", "join"{{.*}}])
func.func @transpose_and_reshape(%x: tensor<6x4xf32>, %y: tensor<2x5xf32>) -> tensor<12x5xf32> {
  %t = rop.generic bounds [4, 6] maps [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>]
    ins(%x : tensor<6x4xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<4x6xf32> loc("transpose")
  %r = rop.generic bounds [4, 2, 3] maps [affine_map<(i, j, k) -> (i, j * 3 + k)>, affine_map<(i, j, k) -> (i, j, k)>]
    ins(%t : tensor<4x6xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<4x2x3xf32> loc("split")
  %s = rop.generic bounds [12, 2]
    maps [affine_map<(i, j) -> (i floordiv 3, j, i mod 3)>, affine_map<(i, j) -> (i, j)>]
    ins(%r : tensor<4x2x3xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<12x2xf32> loc("join")
  %p = rop.generic bounds [12, 5, 2]
    maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    reduce [add] ins(%s, %y : tensor<12x2xf32>, tensor<2x5xf32>) {
  ^bb0(%a: f32, %b: f32):
    %c = arith.mulf %a, %b : f32
    rop.yield %c : f32
  } -> tensor<12x5xf32> loc("product")
  func.return %p : tensor<12x5xf32>
}

// -----

// What the function returns stays a copy, of the source itself where views follow one another. So does the identity of
// an argument, which the function must not return as it is; another identity goes.
// CHECK-LABEL: @returned
// CHECK-SAME:    (%[[X:.*]]: tensor<6x4xf32>)
// CHECK-NEXT:    %[[R:.*]] = rop.generic bounds [24]
// CHECK-SAME:      affine_map<(d0) -> ((d0 mod 6), (d0 floordiv 6))>
// CHECK-SAME:      ins(%[[X]] : tensor<6x4xf32>)
// CHECK:         %[[I:.*]] = rop.generic bounds [6, 4]
// CHECK-SAME:      ins(%[[X]] : tensor<6x4xf32>)
// CHECK:         %[[N:.*]] = rop.generic bounds [6, 4]
// CHECK-NEXT:    ^{{.*}}
// CHECK-NEXT:      arith.negf
// CHECK-NOT:     rop.generic
// CHECK:         func.return %[[R]], %[[I]], %[[N]]
func.func @returned(%x: tensor<6x4xf32>) -> (tensor<24xf32>, tensor<6x4xf32>, tensor<6x4xf32>) {
  %t = rop.generic bounds [4, 6] maps [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>]
    ins(%x : tensor<6x4xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<4x6xf32>
  %r = rop.generic bounds [24] maps [affine_map<(i) -> (i floordiv 6, i mod 6)>, affine_map<(i) -> (i)>]
    ins(%t : tensor<4x6xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<24xf32>
  %i = rop.generic bounds [6, 4] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]
    ins(%x : tensor<6x4xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<6x4xf32>
  %n = rop.generic bounds [6, 4] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]
    ins(%x : tensor<6x4xf32>) {
  ^bb0(%e: f32):
    %0 = arith.negf %e : f32
    rop.yield %0 : f32
  } -> tensor<6x4xf32>
  %j = rop.generic bounds [6, 4] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]
    ins(%n : tensor<6x4xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<6x4xf32>
  func.return %r, %i, %j : tensor<24xf32>, tensor<6x4xf32>, tensor<6x4xf32>
}

// -----

// A padded read goes through a view that keeps the padded dimension, but not through a slice of it: what is out of the
// slice's range is in the source's.
// CHECK-LABEL: @padded_reads
// CHECK:         %[[SLICE:.*]] = rop.generic bounds [3, 6]
// CHECK:         rop.generic bounds [3, 8, 3]
// CHECK-SAME:      affine_map<(d0, d1, d2) -> (d0, ((d1 + d2) + -1))>
// CHECK-SAME:      pad [0.000000e+00 : f32] ins(%{{.*}} : tensor<4x8xf32>)
// CHECK:         rop.generic bounds [3, 6, 3]
// CHECK-SAME:      ins(%[[SLICE]] : tensor<3x6xf32>)
func.func @padded_reads(%x: tensor<4x8xf32>) -> (tensor<3x8xf32>, tensor<3x6xf32>) {
  %rows = rop.generic bounds [3, 8] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]
    ins(%x : tensor<4x8xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<3x8xf32>
  %slice = rop.generic bounds [3, 6] maps [affine_map<(i, j) -> (i, j + 1)>, affine_map<(i, j) -> (i, j)>]
    ins(%x : tensor<4x8xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<3x6xf32>
  %a = rop.generic bounds [3, 8, 3] maps [affine_map<(i, j, k) -> (i, j + k - 1)>, affine_map<(i, j, k) -> (i, j)>]
    reduce [add] pad [0.0 : f32] ins(%rows : tensor<3x8xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<3x8xf32>
  %b = rop.generic bounds [3, 6, 3] maps [affine_map<(i, j, k) -> (i, j + k - 1)>, affine_map<(i, j, k) -> (i, j)>]
    reduce [add] pad [0.0 : f32] ins(%slice : tensor<3x6xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<3x6xf32>
  func.return %a, %b : tensor<3x8xf32>, tensor<3x6xf32>
}

// -----

// A view that pads gives its pad value to readers that have none, and to padded ones with the same value.
// CHECK-LABEL: @padding_views
// CHECK-NOT:     bounds [4, 10]
// CHECK:         rop.generic bounds [4, 8, 3]
// CHECK-SAME:      affine_map<(d0, d1, d2) -> (d0, ((d1 + d2) + -1))>
// CHECK-SAME:      pad [0.000000e+00 : f32] ins(%{{.*}} : tensor<4x8xf32>)
// CHECK:         rop.generic bounds [4, 12, 3]
// CHECK-SAME:      affine_map<(d0, d1, d2) -> (d0, ((d1 + d2) + -3))>
// CHECK-SAME:      pad [0.000000e+00 : f32] ins(%{{.*}} : tensor<4x8xf32>)
func.func @padding_views(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x12xf32>) {
  %padded = rop.generic bounds [4, 10] maps [affine_map<(i, j) -> (i, j - 1)>, affine_map<(i, j) -> (i, j)>]
    pad [0.0 : f32] ins(%x : tensor<4x8xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<4x10xf32>
  %a = rop.generic bounds [4, 8, 3] maps [affine_map<(i, j, k) -> (i, j + k)>, affine_map<(i, j, k) -> (i, j)>]
    reduce [add] ins(%padded : tensor<4x10xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<4x8xf32>
  %b = rop.generic bounds [4, 12, 3] maps [affine_map<(i, j, k) -> (i, j + k - 2)>, affine_map<(i, j, k) -> (i, j)>]
    reduce [add] pad [0.0 : f32] ins(%padded : tensor<4x10xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<4x12xf32>
  func.return %a, %b : tensor<4x8xf32>, tensor<4x12xf32>
}

// -----

// Different pad values do not go together.
// CHECK-LABEL: @other_pad_value
// CHECK:         %[[P:.*]] = rop.generic bounds [10]
// CHECK:         rop.generic bounds [12] {{.*}} pad [1.000000e+00 : f32] ins(%[[P]] : tensor<10xf32>)
func.func @other_pad_value(%x: tensor<8xf32>) -> tensor<12xf32> {
  %padded = rop.generic bounds [10] maps [affine_map<(i) -> (i - 1)>, affine_map<(i) -> (i)>]
    pad [0.0 : f32] ins(%x : tensor<8xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<10xf32>
  %a = rop.generic bounds [12] maps [affine_map<(i) -> (i - 1)>, affine_map<(i) -> (i)>]
    pad [1.0 : f32] ins(%padded : tensor<10xf32>) {
  ^bb0(%e: f32):
    %n = arith.negf %e : f32
    rop.yield %n : f32
  } -> tensor<12xf32>
  func.return %a : tensor<12xf32>
}

// -----

// Neither a reduction nor a copy into part of a tensor is a view.
// CHECK-LABEL: @no_views
// CHECK:         %[[SUM:.*]] = rop.generic bounds [4, 8] {{.*}} reduce [add]
// CHECK:         %[[PART:.*]] = rop.generic bounds [4] {{.*}} ins(%[[SUM]] {{.*}} into(
// CHECK:         rop.generic bounds [8] {{.*}} ins(%[[PART]] : tensor<8xf32>)
func.func @no_views(%x: tensor<4x8xf32>) -> tensor<8xf32> {
  %sum = rop.generic bounds [4, 8] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>]
    reduce [add] ins(%x : tensor<4x8xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<4xf32>
  %zeros = rop.generic bounds [8] maps [affine_map<(i) -> (i)>] {
    %z = arith.constant 0.0 : f32
    rop.yield %z : f32
  } -> tensor<8xf32>
  %part = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i + 2)>]
    ins(%sum : tensor<4xf32>) into(%zeros : tensor<8xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<8xf32>
  %n = rop.generic bounds [8] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%part : tensor<8xf32>) {
  ^bb0(%e: f32):
    %m = arith.negf %e : f32
    rop.yield %m : f32
  } -> tensor<8xf32>
  func.return %n : tensor<8xf32>
}

// -----

// Views of what a scan captures, and of the rows of what it scans, move into it and are absorbed there. A transpose of
// the scanned dimension itself stays outside.
// CHECK-LABEL: @scan
// CHECK-SAME:    (%[[X:.*]]: tensor<5x2x3xf32>, %[[Y:.*]]: tensor<4x5xf32>, %[[H:.*]]: tensor<6xf32>, %[[W:.*]]: tensor<3x2xf32>
// CHECK:         %[[T:.*]] = rop.generic bounds [5, 4]
// CHECK:         rop.scan %{{.*}} scanned(%[[X]], %[[T]] : tensor<5x2x3xf32>, tensor<5x4xf32>) carried(%[[H]] : tensor<6xf32>) captured(%[[W]] : tensor<3x2xf32>)
// CHECK-NEXT:    ^bb0(%{{.*}}: index, %[[XT:.*]]: tensor<2x3xf32>, %[[YT:.*]]: tensor<4xf32>, %[[HT:.*]]: tensor<6xf32>, %[[WT:.*]]: tensor<3x2xf32>):
// CHECK-NEXT:      rop.generic bounds [6] maps [affine_map<(d0) -> ((d0 floordiv 3), (d0 mod 3))>, affine_map<(d0) -> (0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> ((d0 floordiv 2), (d0 mod 2))>, affine_map<(d0) -> (d0)>] ins(%[[XT]], %[[YT]], %[[HT]], %[[WT]] :
func.func @scan(%x: tensor<5x2x3xf32>, %y: tensor<4x5xf32>, %h: tensor<6xf32>, %w: tensor<3x2xf32>, %n: index) -> tensor<6xf32> {
  %xs = rop.generic bounds [5, 6]
    maps [affine_map<(t, i) -> (t, i floordiv 3, i mod 3)>, affine_map<(t, i) -> (t, i)>] ins(%x : tensor<5x2x3xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<5x6xf32>
  %ys = rop.generic bounds [5, 4] maps [affine_map<(t, i) -> (i, t)>, affine_map<(t, i) -> (t, i)>]
    ins(%y : tensor<4x5xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<5x4xf32>
  %ws = rop.generic bounds [6] maps [affine_map<(i) -> (i floordiv 2, i mod 2)>, affine_map<(i) -> (i)>]
    ins(%w : tensor<3x2xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<6xf32>
  %last = rop.scan %n scanned(%xs, %ys : tensor<5x6xf32>, tensor<5x4xf32>) carried(%h : tensor<6xf32>) captured(%ws : tensor<6xf32>) {
  ^bb0(%t: index, %xt: tensor<6xf32>, %yt: tensor<4xf32>, %ht: tensor<6xf32>, %wt: tensor<6xf32>):
    %next = rop.generic bounds [6]
      maps [affine_map<(i) -> (i)>, affine_map<(i) -> (0)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>]
      ins(%xt, %yt, %ht, %wt : tensor<6xf32>, tensor<4xf32>, tensor<6xf32>, tensor<6xf32>) {
    ^bb0(%a: f32, %b: f32, %c: f32, %d: f32):
      %0 = arith.addf %a, %b : f32
      %1 = arith.mulf %c, %d : f32
      %2 = arith.addf %0, %1 : f32
      rop.yield %2 : f32
    } -> tensor<6xf32>
    rop.yield %next : tensor<6xf32>
  } -> tensor<6xf32>
  func.return %last : tensor<6xf32>
}
