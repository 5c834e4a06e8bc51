// RUN: rammer-opt %s -p convert-contraction-to-block --split-input-file --verify-diagnostics | filecheck %s

// A convolution of 20 channels, 3 taps wide with a border, and a bias. A chunk has rows of one tap: 3 chunks for each of 3
// taps. Block of 16 x 16 x 8, four slices of K, 16 threads.
// The table of taps, under a name that is free: offset in X, offset along the border, nothing, and how many rows exist.
// CHECK:       rop.weight @taps_1 : tensor<9x4xi32> {
// CHECK-NEXT:    %{{.*}} = rop.generic bounds [9, 4] maps [affine_map<(d0, d1) -> (d0, d1)>] {
// CHECK-NEXT:      %[[ENTRY:.*]] = rop.index 0
// CHECK-NEXT:      %[[FIELD:.*]] = rop.index 1
// CHECK:       block.body @[[BODY:contraction_[0-9a-f]+]] threads 16 attributes {block.in_order} {
// CHECK-NEXT:  ^bb{{[0-9]+}}(%[[TASK:[0-9]+]]: index, %{{[0-9]+}}: index, %[[X:[0-9]+]]: memref<?xf32, "global">, %[[W:[0-9]+]]: memref<?xf32, "weights">, %[[B:[0-9]+]]: memref<?xf32, "global">, %[[TAPS:[0-9]+]]: memref<?xi32, "weights">, %[[Y:[0-9]+]]: memref<?xf32, "global">
// CHECK:         %[[STAGES:.*]] = memref.alloca() : memref<3x8x16xf32, "shared">
// CHECK:         %[[PARTIAL:.*]] = memref.alloca() : memref<4x16x16xf32, "shared">
// CHECK-NEXT:    %[[SUMS:.*]] = memref.alloca() : memref<8x8xf32, "thread">

// Sums start at zero; two chunks of X are on their way before the loop.
// CHECK:         %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK:         memref.store %[[ZERO]], %[[SUMS]]
// CHECK:         block.copy 4 %[[TAPS]]
// CHECK:         block.copy_async 1 %[[X]][%{{.*}}], %[[STAGES]][%{{.*}}] if %{{.*}} : memref<?xf32, "global">, memref<3x8x16xf32, "shared">
// CHECK:         block.commit_copies
// CHECK:         block.copy_async 1 %[[X]]
// CHECK:         block.commit_copies

// For each chunk: its weights, its part of X, the copies of a later one, the products.
// CHECK:         scf.for
// CHECK-NEXT:      %[[CHUNK:.*]] = block.ring_wait : memref<8x16xf32, "shared">
// CHECK-NEXT:      block.wait_copies 1
// CHECK-NEXT:      block.barrier
// CHECK:           block.parallel thread
// CHECK:             block.copy 4 %[[STAGES]]
// CHECK:             block.copy 4 %[[CHUNK]]
// CHECK:             block.copy_async 1 %[[X]]
// CHECK:             scf.for
// CHECK:               math.fma
// CHECK-NEXT:          memref.store %{{.*}}, %[[SUMS]]
// CHECK:           block.commit_copies
// CHECK:           block.ring_release
// CHECK-NEXT:    }
// CHECK-NEXT:    block.wait_copies 0
// CHECK-NEXT:    block.barrier

// Partial sums go to shared memory, the bias is read meanwhile, all slices are added in order, and what exists is written.
// CHECK:         memref.store %{{.*}}, %[[PARTIAL]][%{{.*}}] : memref<4x16x16xf32, "shared">
// CHECK:         block.barrier
// CHECK:         memref.load %[[B]]
// CHECK:         block.barrier
// CHECK-COUNT-4: block.copy 1 %[[PARTIAL]]
// CHECK:         arith.addf
// CHECK:         memref.store %{{.*}}, %[[VALUES:.*]][%{{.*}}] : memref<1xf32, "thread">
// CHECK:         scf.if
// CHECK:           block.copy 1 %{{.*}}, %[[Y]][%{{.*}}] : memref<1xf32, "thread">, memref<?xf32, "global">
// CHECK:       } service {
// CHECK-NEXT:  ^bb{{[0-9]+}}(%{{[0-9]+}}: index, %{{[0-9]+}}: index, %{{[0-9]+}}: memref<?xf32, "global">, %[[PUSHED:[0-9]+]]: memref<?xf32, "weights">
// CHECK:         scf.for
// CHECK:           block.ring_push 128 %[[PUSHED]][%{{.*}}] : memref<?xf32, "weights">
// CHECK:       rtask.kernel @conv
// CHECK:       } implementation @[[BODY]] [2, 16, 16, 16, 9, 30,
// CHECK-SAME:    constants [@taps_1]
rop.weight @taps : tensor<4xi32> hash "0"
rtask.kernel @conv grid [2, 2]
    reads [#rtask.box<(o, h) -> (0, h * 16 - 1) by [20, 18]>, #rtask.box<(o, h) -> (o, 0, 0, 0) by [1, 9, 8, 16]>,
           #rtask.box<(o, h) -> (o * 16) by [16]>]
    writes [#rtask.box<(o, h) -> (o * 16, h * 16) by [16, 16]>]
    attributes {tiling = #rop.tiling<contraction tile [16, 16] threads 16 block [16, 16, 8] slices 4>,
                contraction = #rtask.contraction<x 0 w 1 m [1] n 0 k [3, 2] checked [1] channels true chunks 9>} {
^bb0(%o: index, %h: index, %x: tensor<20x30xf32>, %w: tensor<2x9x8x16xf32>, %b: tensor<32xf32>, %y: tensor<32x30xf32>):
  %sum = rop.generic bounds [16, 16, 20, 3]
      maps [affine_map<(n, m, i, t)[o, h] -> (i, m + h * 16 + t - 1)>,
            affine_map<(n, m, i, t)[o, h] -> (o, t * 3 + i floordiv 8, i mod 8, n)>, affine_map<(n, m, i, t)[o, h] -> (n, m)>]
      reduce [add] pad [0.0 : f32, unit] ins(%x, %w : tensor<20x30xf32>, tensor<2x9x8x16xf32>) at(%o, %h) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<16x16xf32>
  %root = rop.generic bounds [16, 16]
      maps [affine_map<(n, m)[o, h] -> (n, m)>, affine_map<(n, m)[o, h] -> (n + o * 16)>,
            affine_map<(n, m)[o, h] -> (n + o * 16, m + h * 16)>]
      ins(%sum, %b : tensor<16x16xf32>, tensor<32xf32>) into(%y : tensor<32x30xf32>) at(%o, %h) {
  ^bb2(%p: f32, %q: f32):
    %s = arith.addf %p, %q : f32
    rop.yield %s : f32
  } -> tensor<32x30xf32>
  rtask.yield %root : tensor<32x30xf32>
}
func.func @main(%x: tensor<20x30xf32>, %b: tensor<32xf32>, %y: tensor<32x30xf32>) {
  %w = rop.get_weight @packed : tensor<2x9x8x16xf32>
  %0 = rtask.dispatch @conv ins(%x, %w, %b : tensor<20x30xf32>, tensor<2x9x8x16xf32>, tensor<32xf32>)
      into(%y : tensor<32x30xf32>) -> tensor<32x30xf32>
  func.return
}

// -----

// The channels of X are neighbours in memory: pieces of 4 are staged as rows, padded by a piece, and read two at a time.
// 14 rows of the block, 7 a thread; results are written 2 at a time.
// CHECK:       block.body @[[ROWS:contraction_[0-9a-f]+]] threads 16 attributes {block.in_order} {
// CHECK:         %[[STAGES:.*]] = memref.alloca() : memref<3x16x20xf32, "shared">
// CHECK:         %[[PARTIAL:.*]] = memref.alloca() : memref<4x14x16xf32, "shared">
// CHECK-NEXT:    %[[SUMS:.*]] = memref.alloca() : memref<7x8xf32, "thread">
// CHECK:         block.copy_async 4 %{{.*}}, %[[STAGES]]
// CHECK:         block.ring_wait
// CHECK:         block.copy 2 %[[STAGES]]
// CHECK:         block.copy_async 4 %{{.*}}, %[[STAGES]]
// CHECK:         math.fma
// CHECK:         block.copy 4 %[[SUMS]][%{{.*}}], %[[PARTIAL]]
// CHECK-COUNT-4: block.copy 2 %[[PARTIAL]]
// CHECK:         scf.if
// CHECK:           block.copy 2
// CHECK:       rtask.kernel @rows
// CHECK:       } implementation @[[ROWS]]
rtask.kernel @rows grid [2]
    reads [#rtask.box<(h) -> (h * 14, 0) by [14, 32]>, #rtask.box<(h) -> (0, 0, 0, 0) by [1, 2, 16, 16]>]
    writes [#rtask.box<(h) -> (h * 14, 0) by [14, 16]>]
    attributes {tiling = #rop.tiling<contraction tile [14, 16, 32] threads 16 block [14, 16, 16] slices 4>,
                contraction = #rtask.contraction<x 0 w 1 m [0] n 1 k [2] checked [] channels true chunks 2>} {
^bb0(%h: index, %x: tensor<28x32xf32>, %w: tensor<1x2x16x16xf32>, %y: tensor<28x16xf32>):
  %root = rop.generic bounds [14, 16, 32]
      maps [affine_map<(m, n, k)[h] -> (m + h * 14, k)>, affine_map<(m, n, k)[h] -> (0, k floordiv 16, k mod 16, n)>,
            affine_map<(m, n, k)[h] -> (m + h * 14, n)>]
      reduce [add] ins(%x, %w : tensor<28x32xf32>, tensor<1x2x16x16xf32>) into(%y : tensor<28x16xf32>) at(%h) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<28x16xf32>
  rtask.yield %root : tensor<28x16xf32>
}
func.func @main(%x: tensor<28x32xf32>, %y: tensor<28x16xf32>) {
  %w = rop.get_weight @packed : tensor<1x2x16x16xf32>
  %0 = rtask.dispatch @rows ins(%x, %w : tensor<28x32xf32>, tensor<1x2x16x16xf32>) into(%y : tensor<28x16xf32>) -> tensor<28x16xf32>
  func.return
}

// -----

// CHECK: the threads of kernel @no_block cannot share its block: #rop.tiling<generic tile {{\[}}16, 16, 8{{\]}} threads 64>
rtask.kernel @no_block grid [1] reads [#rtask.box<(i) -> (0, 0) by [16, 8]>, #rtask.box<(i) -> (0, 0, 0, 0) by [1, 1, 8, 16]>]
    writes [#rtask.box<(i) -> (0, 0) by [16, 16]>]
    attributes {tiling = #rop.tiling<generic tile [16, 16, 8] threads 64>,
                contraction = #rtask.contraction<x 0 w 1 m [0] n 1 k [2] checked [] channels false chunks 1>} {
^bb0(%i: index, %x: tensor<16x8xf32>, %w: tensor<1x1x8x16xf32>, %y: tensor<16x16xf32>):
  %root = rop.generic bounds [16, 16, 8]
      maps [affine_map<(m, n, k)[i] -> (m, k)>, affine_map<(m, n, k)[i] -> (0, 0, k, n)>, affine_map<(m, n, k)[i] -> (m, n)>]
      reduce [add] ins(%x, %w : tensor<16x8xf32>, tensor<1x1x8x16xf32>) into(%y : tensor<16x16xf32>) at(%i) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<16x16xf32>
  rtask.yield %root : tensor<16x16xf32>
}
func.func @main(%x: tensor<16x8xf32>, %y: tensor<16x16xf32>) {
  %w = rop.get_weight @packed : tensor<1x1x8x16xf32>
  %0 = rtask.dispatch @no_block ins(%x, %w : tensor<16x8xf32>, tensor<1x1x8x16xf32>) into(%y : tensor<16x16xf32>) -> tensor<16x16xf32>
  func.return
}

// -----

// CHECK: the threads of kernel @uneven cannot share its block: #rop.tiling<contraction tile {{\[}}16, 16, 8{{\]}} threads 24 block {{\[}}16, 16, 8{{\]}} slices 1>
rtask.kernel @uneven grid [1] reads [#rtask.box<(i) -> (0, 0) by [16, 8]>, #rtask.box<(i) -> (0, 0, 0, 0) by [1, 1, 8, 16]>]
    writes [#rtask.box<(i) -> (0, 0) by [16, 16]>]
    attributes {tiling = #rop.tiling<contraction tile [16, 16, 8] threads 24 block [16, 16, 8] slices 1>,
                contraction = #rtask.contraction<x 0 w 1 m [0] n 1 k [2] checked [] channels false chunks 1>} {
^bb0(%i: index, %x: tensor<16x8xf32>, %w: tensor<1x1x8x16xf32>, %y: tensor<16x16xf32>):
  %root = rop.generic bounds [16, 16, 8]
      maps [affine_map<(m, n, k)[i] -> (m, k)>, affine_map<(m, n, k)[i] -> (0, 0, k, n)>, affine_map<(m, n, k)[i] -> (m, n)>]
      reduce [add] ins(%x, %w : tensor<16x8xf32>, tensor<1x1x8x16xf32>) into(%y : tensor<16x16xf32>) at(%i) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<16x16xf32>
  rtask.yield %root : tensor<16x16xf32>
}
func.func @main(%x: tensor<16x8xf32>, %y: tensor<16x16xf32>) {
  %w = rop.get_weight @packed : tensor<1x1x8x16xf32>
  %0 = rtask.dispatch @uneven ins(%x, %w : tensor<16x8xf32>, tensor<1x1x8x16xf32>) into(%y : tensor<16x16xf32>) -> tensor<16x16xf32>
  func.return
}

// -----

// CHECK: the threads of kernel @slices cannot share its block: #rop.tiling<contraction tile {{\[}}16, 16, 8{{\]}} threads 16 block {{\[}}16, 16, 8{{\]}} slices 3>
rtask.kernel @slices grid [1] reads [#rtask.box<(i) -> (0, 0) by [16, 8]>, #rtask.box<(i) -> (0, 0, 0, 0) by [1, 1, 8, 16]>]
    writes [#rtask.box<(i) -> (0, 0) by [16, 16]>]
    attributes {tiling = #rop.tiling<contraction tile [16, 16, 8] threads 16 block [16, 16, 8] slices 3>,
                contraction = #rtask.contraction<x 0 w 1 m [0] n 1 k [2] checked [] channels false chunks 1>} {
^bb0(%i: index, %x: tensor<16x8xf32>, %w: tensor<1x1x8x16xf32>, %y: tensor<16x16xf32>):
  %root = rop.generic bounds [16, 16, 8]
      maps [affine_map<(m, n, k)[i] -> (m, k)>, affine_map<(m, n, k)[i] -> (0, 0, k, n)>, affine_map<(m, n, k)[i] -> (m, n)>]
      reduce [add] ins(%x, %w : tensor<16x8xf32>, tensor<1x1x8x16xf32>) into(%y : tensor<16x16xf32>) at(%i) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<16x16xf32>
  rtask.yield %root : tensor<16x16xf32>
}
func.func @main(%x: tensor<16x8xf32>, %y: tensor<16x16xf32>) {
  %w = rop.get_weight @packed : tensor<1x1x8x16xf32>
  %0 = rtask.dispatch @slices ins(%x, %w : tensor<16x8xf32>, tensor<1x1x8x16xf32>) into(%y : tensor<16x16xf32>) -> tensor<16x16xf32>
  func.return
}

// -----

// CHECK: the threads of kernel @few cannot share its block: #rop.tiling<contraction tile {{\[}}16, 16, 8{{\]}} threads 16 block {{\[}}16, 64, 8{{\]}} slices 8>
rtask.kernel @few grid [1] reads [#rtask.box<(i) -> (0, 0) by [16, 8]>, #rtask.box<(i) -> (0, 0, 0, 0) by [1, 1, 8, 16]>]
    writes [#rtask.box<(i) -> (0, 0) by [16, 16]>]
    attributes {tiling = #rop.tiling<contraction tile [16, 16, 8] threads 16 block [16, 64, 8] slices 8>,
                contraction = #rtask.contraction<x 0 w 1 m [0] n 1 k [2] checked [] channels false chunks 1>} {
^bb0(%i: index, %x: tensor<16x8xf32>, %w: tensor<1x1x8x16xf32>, %y: tensor<16x16xf32>):
  %root = rop.generic bounds [16, 16, 8]
      maps [affine_map<(m, n, k)[i] -> (m, k)>, affine_map<(m, n, k)[i] -> (0, 0, k, n)>, affine_map<(m, n, k)[i] -> (m, n)>]
      reduce [add] ins(%x, %w : tensor<16x8xf32>, tensor<1x1x8x16xf32>) into(%y : tensor<16x16xf32>) at(%i) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<16x16xf32>
  rtask.yield %root : tensor<16x16xf32>
}
func.func @main(%x: tensor<16x8xf32>, %y: tensor<16x16xf32>) {
  %w = rop.get_weight @packed : tensor<1x1x8x16xf32>
  %0 = rtask.dispatch @few ins(%x, %w : tensor<16x8xf32>, tensor<1x1x8x16xf32>) into(%y : tensor<16x16xf32>) -> tensor<16x16xf32>
  func.return
}
