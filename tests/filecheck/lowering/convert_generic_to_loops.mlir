// RUN: rammer-opt %s -p convert-generic-to-loops --split-input-file | filecheck %s

// A maximum over windows of 3 x 3 with a border, of images whose channels are neighbours: a row of totals for the channels,
// the windows around it. Tiles are 4 rows of 10; the last one ends where the image does.
// CHECK:       block.body @[[POOL:generic_[0-9a-f]+]] threads 1 {
// CHECK-NEXT:  ^bb{{[0-9]+}}(%[[TASK:[0-9]+]]: index, %{{[0-9]+}}: index, %[[X:[0-9]+]]: memref<?xf32, "global">, %[[Y:[0-9]+]]: memref<?xf32, "global">
// CHECK:         %[[TOTALS:.*]] = memref.alloca() : memref<24xf32, "shared">
// CHECK:         %[[END:.*]] = arith.minsi
// CHECK:         scf.for %{{[0-9]+}} = %{{[0-9]+}} to %[[END]]
// CHECK:           scf.for
// CHECK:             block.parallel thread (%[[START:[0-9]+]]) in
// CHECK-NEXT:          %[[LOWEST:.*]] = arith.constant 0xff800000 : f32
// CHECK-NEXT:          memref.store %[[LOWEST]], %[[TOTALS]][%[[START]]]
// CHECK:             scf.for
// CHECK:               scf.for
// CHECK:                 block.parallel thread (%[[CHANNEL:[0-9]+]]) in
// CHECK:                   scf.if
// CHECK:                     memref.load %[[X]]
// CHECK:                   %[[BEFORE:.*]] = memref.load %[[TOTALS]][%[[CHANNEL]]]
// CHECK-NEXT:              %[[AFTER:.*]] = arith.maximumf %[[BEFORE]], %{{.*}} : f32
// CHECK-NEXT:              memref.store %[[AFTER]], %[[TOTALS]][%[[CHANNEL]]]
// CHECK:             block.parallel thread (%[[LAST:[0-9]+]]) in
// CHECK-NEXT:          %[[TOTAL:.*]] = memref.load %[[TOTALS]][%[[LAST]]]
// CHECK:               memref.store %[[TOTAL]], %[[Y]]
// CHECK:       rtask.kernel @pool
// CHECK:       } implementation @[[POOL]]
rtask.kernel @pool grid [3]
    reads [#rtask.box<(h) -> (h * 4 - 1, 0, 0) by [6, 10, 24]>] writes [#rtask.box<(h) -> (h * 4, 0, 0) by [4, 10, 24]>]
    attributes {tiling = #rop.tiling<generic tile [4, 10, 24] threads 1>} {
^bb0(%h: index, %x: tensor<10x10x24xf32>, %y: tensor<10x10x24xf32>):
  %root = rop.generic bounds [4, 10, 24, 3, 3]
      maps [affine_map<(r, q, c, i, j)[h] -> (r + h * 4 + i - 1, q + j - 1, c)>, affine_map<(r, q, c, i, j)[h] -> (r + h * 4, q, c)>]
      reduce [maximum] pad [0xff800000 : f32] ins(%x : tensor<10x10x24xf32>) into(%y : tensor<10x10x24xf32>) at(%h) {
  ^bb1(%p: f32):
    rop.yield %p : f32
  } -> tensor<10x10x24xf32>
  rtask.yield %root : tensor<10x10x24xf32>
}
func.func @main(%x: tensor<10x10x24xf32>, %y: tensor<10x10x24xf32>) {
  %0 = rtask.dispatch @pool ins(%x : tensor<10x10x24xf32>) into(%y : tensor<10x10x24xf32>) -> tensor<10x10x24xf32>
  func.return
}

// -----

// A matrix-vector product: what is reduced are neighbours, so each result is reduced at once. The rest follows element by
// element, with the sums in scratch memory.
// CHECK:       block.body @[[PRODUCT:generic_[0-9a-f]+]] threads 1 {
// CHECK-NEXT:  ^bb{{[0-9]+}}(%[[TASK:[0-9]+]]: index, %{{[0-9]+}}: index, %[[X:[0-9]+]]: memref<?xf32, "global">, %[[W:[0-9]+]]: memref<?xf32, "global">, %[[Y:[0-9]+]]: memref<?xf32, "global">
// CHECK:         %[[SUMS:.*]] = memref.alloca() : memref<8xf32, "shared">
// CHECK:         block.parallel warp (%[[ROW:[0-9]+]]) in
// CHECK-NEXT:      %[[SUM:.*]] = block.warp_reduce add (%{{.*}}) in
// CHECK:             memref.load %[[X]]
// CHECK:             memref.load %[[W]]
// CHECK:           memref.store %[[SUM]], %[[SUMS]][%[[ROW]]]
// CHECK:         block.parallel thread
// CHECK:           %[[POWER:.*]] = math.exp
// CHECK:           memref.store %[[POWER]], %[[Y]]
// CHECK:       rtask.kernel @product
// CHECK:       } implementation @[[PRODUCT]]
rtask.kernel @product grid [2]
    reads [#rtask.box<(o) -> (0) by [32]>, #rtask.box<(o) -> (o * 8, 0) by [8, 32]>] writes [#rtask.box<(o) -> (o * 8) by [8]>]
    attributes {tiling = #rop.tiling<generic tile [8] threads 1>} {
^bb0(%o: index, %x: tensor<32xf32>, %w: tensor<16x32xf32>, %y: tensor<16xf32>):
  %sum = rop.generic bounds [8, 32]
      maps [affine_map<(n, k)[o] -> (k)>, affine_map<(n, k)[o] -> (n + o * 8, k)>, affine_map<(n, k)[o] -> (n)>]
      reduce [add] ins(%x, %w : tensor<32xf32>, tensor<16x32xf32>) at(%o) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<8xf32>
  %root = rop.generic bounds [8] maps [affine_map<(n)[o] -> (n)>, affine_map<(n)[o] -> (n + o * 8)>]
      ins(%sum : tensor<8xf32>) into(%y : tensor<16xf32>) at(%o) {
  ^bb2(%p: f32):
    %e = math.exp %p : f32
    rop.yield %e : f32
  } -> tensor<16xf32>
  rtask.yield %root : tensor<16xf32>
}
func.func @main(%x: tensor<32xf32>, %w: tensor<16x32xf32>, %y: tensor<16xf32>) {
  %0 = rtask.dispatch @product ins(%x, %w : tensor<32xf32>, tensor<16x32xf32>) into(%y : tensor<16xf32>) -> tensor<16xf32>
  func.return
}

// -----

// What several threads share is left to others.
// CHECK-LABEL: rtask.kernel @shared
// CHECK-NOT:   implementation
rtask.kernel @shared grid [1] reads [#rtask.box<(o) -> (0) by [8]>] writes [#rtask.box<(o) -> (0) by [8]>]
    attributes {tiling = #rop.tiling<generic tile [8] threads 32>} {
^bb0(%o: index, %x: tensor<8xf32>, %y: tensor<8xf32>):
  %root = rop.generic bounds [8] maps [affine_map<(n)[o] -> (n)>, affine_map<(n)[o] -> (n)>]
      ins(%x : tensor<8xf32>) into(%y : tensor<8xf32>) at(%o) {
  ^bb1(%p: f32):
    %e = math.exp %p : f32
    rop.yield %e : f32
  } -> tensor<8xf32>
  rtask.yield %root : tensor<8xf32>
}
func.func @main(%x: tensor<8xf32>, %y: tensor<8xf32>) {
  %0 = rtask.dispatch @shared ins(%x : tensor<8xf32>) into(%y : tensor<8xf32>) -> tensor<8xf32>
  func.return
}
