// RUN: rammer-opt %s -p convert-contraction-to-vectors --split-input-file --verify-diagnostics | filecheck %s

// A convolution of 20 channels, 3 taps wide with a border, and a bias. A chunk has rows of one tap: 3 chunks for each of 3
// taps. The block is 12 x 16 x 8; 128 floats of vector registers hold panels of 6 x 16 sums, in vectors of 8.
vdevice.device @host kind "host" veus 1 threads 1024 shared 262144 registers 128 rates {}
// CHECK:       rop.weight @taps_1 : tensor<9x4xi32> {
// CHECK:       block.body @[[BODY:contraction_[0-9a-f]+]] threads 1 {
// CHECK-NEXT:  ^bb{{[0-9]+}}(%[[TASK:[0-9]+]]: index, %{{[0-9]+}}: index, %[[X:[0-9]+]]: memref<?xf32, "global">, %[[W:[0-9]+]]: memref<?xf32, "weights">, %[[B:[0-9]+]]: memref<?xf32, "global">, %[[TAPS:[0-9]+]]: memref<?xi32, "weights">, %[[Y:[0-9]+]]: memref<?xf32, "global">

// Sums start at zero. Every row of X gets its address at tap 0, and its place along the border.
// CHECK:         %[[SUMS:.*]] = memref.alloca() : memref<12x16xf32, "shared">
// CHECK:         %[[STAGED:.*]] = memref.alloca() : memref<6x8xf32, "shared">
// CHECK:         %[[ZERO:.*]] = vector.broadcast %{{.*}} : f32 to vector<8xf32>
// CHECK:         vector.store %[[ZERO]], %[[SUMS]]
// CHECK:         vector.store %[[ZERO]], %[[SUMS]]
// CHECK:         block.parallel thread
// CHECK:           memref.store %{{.*}} : memref<12xi32, "shared">

// For each chunk: its tap, and how many terms it has.
// CHECK:         scf.for
// CHECK:           memref.load %[[TAPS]]
// CHECK:           %[[TERMS:.*]] = arith.minsi
// For each panel: six rows of X, or zeros where the tap is out of range.
// CHECK:           scf.for
// CHECK:             scf.for
// CHECK:               scf.if
// CHECK:                 block.parallel thread (%{{.*}}) in %[[TERMS]]
// CHECK:                   memref.load %[[X]]
// CHECK-NEXT:              memref.store %{{.*}}, %[[STAGED]]
// CHECK:               } else {
// CHECK:                 block.parallel thread (%{{.*}}) in %[[TERMS]]
// CHECK-NEXT:              memref.store %{{.*}}, %[[STAGED]]
// The sums of the panel are carried through the loop over the terms: 12 vectors.
// CHECK-COUNT-12:      vector.load %[[SUMS]]
// CHECK:               scf.for %[[TERM:[0-9]+]] = %{{[0-9]+}} to %[[TERMS]] step %{{.*}} iter_args(
// CHECK:                 vector.load %[[W]]
// CHECK:                 vector.load %[[W]]
// CHECK:                 %[[ELEMENT:.*]] = memref.load %[[STAGED]][%{{.*}}, %[[TERM]]]
// CHECK-NEXT:            %[[SPREAD:.*]] = vector.broadcast %[[ELEMENT]] : f32 to vector<8xf32>
// CHECK-NEXT:            vector.fma %[[SPREAD]], %{{.*}} : vector<8xf32>
// CHECK-NEXT:            vector.fma %[[SPREAD]], %{{.*}} : vector<8xf32>
// CHECK-COUNT-12:      vector.store %{{.*}}, %[[SUMS]]

// Results are neighbours along M, which is the innermost loop; it ends where the results do.
// CHECK:         scf.for
// CHECK:           arith.minsi
// CHECK:           block.parallel thread
// CHECK:             memref.load %[[SUMS]]
// CHECK:             memref.load %[[B]]
// CHECK:             %[[RESULT:.*]] = arith.addf
// CHECK:             memref.store %[[RESULT]], %[[Y]]
// CHECK:       rtask.kernel @conv
// CHECK:       } implementation @[[BODY]] [3, 30, 12, 1, 12, -1, 12,
// CHECK-SAME:    constants [@taps_1]
rop.weight @taps : tensor<4xi32> hash "0"
rtask.kernel @conv grid [2, 3]
    reads [#rtask.box<(o, h) -> (0, h * 12 - 1) by [20, 14]>, #rtask.box<(o, h) -> (o, 0, 0, 0) by [1, 9, 8, 16]>,
           #rtask.box<(o, h) -> (o * 16) by [16]>]
    writes [#rtask.box<(o, h) -> (o * 16, h * 12) by [16, 12]>]
    attributes {tiling = #rop.tiling<contraction tile [16, 12] threads 1 block [12, 16, 8] slices 1>,
                contraction = #rtask.contraction<x 0 w 1 m [1] n 0 k [3, 2] checked [1] channels true chunks 9>} {
^bb0(%o: index, %h: index, %x: tensor<20x30xf32>, %w: tensor<2x9x8x16xf32>, %b: tensor<32xf32>, %y: tensor<32x30xf32>):
  %sum = rop.generic bounds [16, 12, 20, 3]
      maps [affine_map<(n, m, i, t)[o, h] -> (i, m + h * 12 + t - 1)>,
            affine_map<(n, m, i, t)[o, h] -> (o, t * 3 + i floordiv 8, i mod 8, n)>, affine_map<(n, m, i, t)[o, h] -> (n, m)>]
      reduce [add] pad [0.0 : f32, unit] ins(%x, %w : tensor<20x30xf32>, tensor<2x9x8x16xf32>) at(%o, %h) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<16x12xf32>
  %root = rop.generic bounds [16, 12]
      maps [affine_map<(n, m)[o, h] -> (n, m)>, affine_map<(n, m)[o, h] -> (n + o * 16)>,
            affine_map<(n, m)[o, h] -> (n + o * 16, m + h * 12)>]
      ins(%sum, %b : tensor<16x12xf32>, tensor<32xf32>) into(%y : tensor<32x30xf32>) at(%o, %h) {
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

// Kernels for several threads are left to others; one thread needs blocks of whole vectors.
// CHECK-LABEL: rtask.kernel @of_threads
// CHECK-NOT:   implementation
rtask.kernel @of_threads grid [1] reads [#rtask.box<(o) -> (0, 0) by [16, 8]>, #rtask.box<(o) -> (0, 0, 0, 0) by [1, 1, 8, 16]>]
    writes [#rtask.box<(o) -> (0, 0) by [16, 16]>]
    attributes {tiling = #rop.tiling<contraction tile [16, 16] threads 16 block [16, 16, 8] slices 1>,
                contraction = #rtask.contraction<x 0 w 1 m [0] n 1 k [2] checked [] channels false chunks 1>} {
^bb0(%o: index, %x: tensor<16x8xf32>, %w: tensor<1x1x8x16xf32>, %y: tensor<16x16xf32>):
  %sum = rop.generic bounds [16, 16, 8]
      maps [affine_map<(m, n, k)[o] -> (m, k)>, affine_map<(m, n, k)[o] -> (0, 0, k, n)>, affine_map<(m, n, k)[o] -> (m, n)>]
      reduce [add] ins(%x, %w : tensor<16x8xf32>, tensor<1x1x8x16xf32>) into(%y : tensor<16x16xf32>) at(%o) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<16x16xf32>
  rtask.yield %sum : tensor<16x16xf32>
}
func.func @main(%x: tensor<16x8xf32>, %y: tensor<16x16xf32>) {
  %w = rop.get_weight @packed : tensor<1x1x8x16xf32>
  %0 = rtask.dispatch @of_threads ins(%x, %w : tensor<16x8xf32>, tensor<1x1x8x16xf32>)
      into(%y : tensor<16x16xf32>) -> tensor<16x16xf32>
  func.return
}

// -----

// expected-error: one thread cannot compute the block of kernel @narrow in vectors of 16: #rop.tiling<contraction tile [16, 8] threads 1 block [16, 8, 8] slices 1>
rtask.kernel @narrow grid [1] reads [#rtask.box<(o) -> (0, 0) by [16, 8]>, #rtask.box<(o) -> (0, 0, 0, 0) by [1, 1, 8, 8]>]
    writes [#rtask.box<(o) -> (0, 0) by [16, 8]>]
    attributes {tiling = #rop.tiling<contraction tile [16, 8] threads 1 block [16, 8, 8] slices 1>,
                contraction = #rtask.contraction<x 0 w 1 m [0] n 1 k [2] checked [] channels false chunks 1>} {
^bb0(%o: index, %x: tensor<16x8xf32>, %w: tensor<1x1x8x8xf32>, %y: tensor<16x8xf32>):
  %sum = rop.generic bounds [16, 8, 8]
      maps [affine_map<(m, n, k)[o] -> (m, k)>, affine_map<(m, n, k)[o] -> (0, 0, k, n)>, affine_map<(m, n, k)[o] -> (m, n)>]
      reduce [add] ins(%x, %w : tensor<16x8xf32>, tensor<1x1x8x8xf32>) into(%y : tensor<16x8xf32>) at(%o) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<16x8xf32>
  rtask.yield %sum : tensor<16x8xf32>
}
func.func @main(%x: tensor<16x8xf32>, %y: tensor<16x8xf32>) {
  %w = rop.get_weight @packed : tensor<1x1x8x8xf32>
  %0 = rtask.dispatch @narrow ins(%x, %w : tensor<16x8xf32>, tensor<1x1x8x8xf32>)
      into(%y : tensor<16x8xf32>) -> tensor<16x8xf32>
  func.return
}
