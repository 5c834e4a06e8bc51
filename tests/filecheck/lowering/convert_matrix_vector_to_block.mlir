// RUN: rammer-opt %s -p convert-matrix-vector-to-block --split-input-file --verify-diagnostics | filecheck %s

// A product of two rows of 21 and a matrix of 10 columns, and a bias. Four columns a task, chunks of 8 rows, two slices of K,
// 8 threads: three chunks a task. K does not lie in X in pieces of four: it is copied element by element.
// CHECK:       block.body @[[BODY:matrix_vector_[0-9a-f]+]] threads 8 {
// CHECK-NEXT:  ^bb{{[0-9]+}}(%[[TASK:[0-9]+]]: index, %{{[0-9]+}}: index, %[[X:[0-9]+]]: memref<?xf32, "global">, %[[W:[0-9]+]]: memref<?xf32, "weights">, %[[B:[0-9]+]]: memref<?xf32, "global">, %[[Y:[0-9]+]]: memref<?xf32, "global">
// CHECK:         %[[STAGED:.*]] = memref.alloca() : memref<4096xf32, "shared">
// CHECK-NEXT:    %[[PARTIAL:.*]] = memref.alloca() : memref<2x8xf32, "shared">
// CHECK-NEXT:    %[[SUMS:.*]] = memref.alloca() : memref<2x4xf32, "thread">
// CHECK-NEXT:    %[[BIAS:.*]] = memref.alloca() : memref<1xf32, "thread">

// The bias is on its way before anything else; X is copied as a whole.
// CHECK:         memref.load %[[B]]
// CHECK:         memref.store %{{.*}}, %[[BIAS]]
// CHECK:         memref.store %{{.*}}, %[[SUMS]]
// CHECK:         block.copy_async 1 %[[X]][%{{.*}}], %[[STAGED]][%{{.*}}] if %{{.*}} : memref<?xf32, "global">, memref<4096xf32, "shared">
// CHECK:         block.commit_copies
// CHECK-NEXT:    block.wait_copies 0
// CHECK-NEXT:    block.barrier

// Threads wait for chunks, and for nothing else.
// CHECK-NEXT:    scf.for
// CHECK-NEXT:      %[[CHUNK:.*]] = block.ring_wait : memref<1x8x4xf32, "shared">
// CHECK-NEXT:      block.parallel thread
// CHECK:             block.copy 4 %[[CHUNK]]
// CHECK:             block.copy 4 %[[STAGED]]
// CHECK:             math.fma
// CHECK-NEXT:        memref.store %{{.*}}, %[[SUMS]]
// CHECK:           block.ring_release
// CHECK-NEXT:    }

// CHECK:         memref.store %{{.*}}, %[[PARTIAL]]
// CHECK:         block.barrier
// CHECK:         %[[FIRST:.*]] = memref.load %[[PARTIAL]]
// CHECK-NEXT:    %[[SECOND:.*]] = memref.load %[[PARTIAL]]
// CHECK-NEXT:    %[[SUM:.*]] = arith.addf %[[FIRST]], %[[SECOND]] : f32
// CHECK-NEXT:    %[[ADDED:.*]] = memref.load %[[BIAS]]
// CHECK-NEXT:    %[[RESULT:.*]] = arith.addf %[[SUM]], %[[ADDED]] : f32
// CHECK:         scf.if
// CHECK:           memref.store %[[RESULT]], %[[Y]]
// CHECK:       } service {
// CHECK:         scf.for
// CHECK:           block.ring_push 32
// CHECK:       rtask.kernel @product
// CHECK:       } implementation @[[BODY]] [
rtask.kernel @product grid [3]
    reads [#rtask.box<(o) -> (0, 0) by [2, 21]>, #rtask.box<(o) -> (o, 0, 0, 0) by [1, 6, 4, 4]>,
           #rtask.box<(o) -> (o * 4) by [4]>]
    writes [#rtask.box<(o) -> (0, o * 4) by [2, 4]>]
    attributes {tiling = #rop.tiling<matrix_vector tile [2, 4] threads 8 block [4, 8] slices 2>,
                matrix_vector = #rtask.matrix_vector<x 0 w 1 m [0] n 1 k [2] chunks 3>} {
^bb0(%o: index, %x: tensor<2x21xf32>, %w: tensor<3x6x4x4xf32>, %b: tensor<10xf32>, %y: tensor<2x10xf32>):
  %sum = rop.generic bounds [2, 4, 21]
      maps [affine_map<(m, n, k)[o] -> (m, k)>, affine_map<(m, n, k)[o] -> (o, k floordiv 4, n, k mod 4)>,
            affine_map<(m, n, k)[o] -> (m, n)>]
      reduce [add] ins(%x, %w : tensor<2x21xf32>, tensor<3x6x4x4xf32>) at(%o) {
  ^bb1(%p: f32, %q: f32):
    %r = arith.mulf %p, %q : f32
    rop.yield %r : f32
  } -> tensor<2x4xf32>
  %root = rop.generic bounds [2, 4]
      maps [affine_map<(m, n)[o] -> (m, n)>, affine_map<(m, n)[o] -> (n + o * 4)>, affine_map<(m, n)[o] -> (m, n + o * 4)>]
      ins(%sum, %b : tensor<2x4xf32>, tensor<10xf32>) into(%y : tensor<2x10xf32>) at(%o) {
  ^bb2(%p: f32, %q: f32):
    %s = arith.addf %p, %q : f32
    rop.yield %s : f32
  } -> tensor<2x10xf32>
  rtask.yield %root : tensor<2x10xf32>
}
func.func @main(%x: tensor<2x21xf32>, %b: tensor<10xf32>, %y: tensor<2x10xf32>) {
  %w = rop.get_weight @packed : tensor<3x6x4x4xf32>
  %0 = rtask.dispatch @product ins(%x, %w, %b : tensor<2x21xf32>, tensor<3x6x4x4xf32>, tensor<10xf32>)
      into(%y : tensor<2x10xf32>) -> tensor<2x10xf32>
  func.return
}

// -----

// More of X than is staged at once: two panels of at most 2048 chunks, and a barrier before each. Four
// elements are copied at once.
// CHECK:       block.body @matrix_vector_{{[0-9a-f]+}} threads 8 {
// CHECK:         %[[STAGED:.*]] = memref.alloca() : memref<16384xf32, "shared">
// CHECK:           block.barrier
// CHECK:           block.copy_async 4 %{{.*}}, %[[STAGED]]
// CHECK:           block.barrier
// CHECK:           scf.for
// CHECK-NEXT:        block.ring_wait
// CHECK:       rtask.kernel @panels
// CHECK:       implementation @matrix_vector_{{[0-9a-f]+}} [16384, 20000, 4, 2500, 2048, 2, 4096
rtask.kernel @panels grid [2] reads [#rtask.box<(o) -> (0, 0) by [1, 20000]>, #rtask.box<(o) -> (o, 0, 0, 0) by [1, 5000, 4, 4]>]
    writes [#rtask.box<(o) -> (0, o * 4) by [1, 4]>]
    attributes {tiling = #rop.tiling<matrix_vector tile [1, 4] threads 8 block [4, 8] slices 2>,
                matrix_vector = #rtask.matrix_vector<x 0 w 1 m [] n 1 k [2] chunks 2500>} {
^bb0(%o: index, %x: tensor<1x20000xf32>, %w: tensor<2x5000x4x4xf32>, %y: tensor<1x8xf32>):
  %root = rop.generic bounds [1, 4, 20000]
      maps [affine_map<(m, n, k)[o] -> (m, k)>, affine_map<(m, n, k)[o] -> (o, k floordiv 4, n, k mod 4)>,
            affine_map<(m, n, k)[o] -> (m, n + o * 4)>]
      reduce [add] ins(%x, %w : tensor<1x20000xf32>, tensor<2x5000x4x4xf32>) into(%y : tensor<1x8xf32>) at(%o) {
  ^bb1(%p: f32, %q: f32):
    %r = arith.mulf %p, %q : f32
    rop.yield %r : f32
  } -> tensor<1x8xf32>
  rtask.yield %root : tensor<1x8xf32>
}
func.func @main(%x: tensor<1x20000xf32>, %y: tensor<1x8xf32>) {
  %w = rop.get_weight @packed : tensor<2x5000x4x4xf32>
  %0 = rtask.dispatch @panels ins(%x, %w : tensor<1x20000xf32>, tensor<2x5000x4x4xf32>)
      into(%y : tensor<1x8xf32>) -> tensor<1x8xf32>
  func.return
}

// -----

// CHECK: the threads of kernel @uneven cannot share its matrix-vector product: #rop.tiling<matrix_vector tile {{\[}}1, 4] threads 12 block {{\[}}4, 8] slices 2>
rtask.kernel @uneven grid [2] reads [#rtask.box<(o) -> (0, 0) by [1, 16]>, #rtask.box<(o) -> (o, 0, 0, 0) by [1, 4, 4, 4]>]
    writes [#rtask.box<(o) -> (0, o * 4) by [1, 4]>]
    attributes {tiling = #rop.tiling<matrix_vector tile [1, 4] threads 12 block [4, 8] slices 2>,
                matrix_vector = #rtask.matrix_vector<x 0 w 1 m [] n 1 k [2] chunks 2>} {
^bb0(%o: index, %x: tensor<1x16xf32>, %w: tensor<2x4x4x4xf32>, %y: tensor<1x8xf32>):
  %root = rop.generic bounds [1, 4, 16]
      maps [affine_map<(m, n, k)[o] -> (m, k)>, affine_map<(m, n, k)[o] -> (o, k floordiv 4, n, k mod 4)>,
            affine_map<(m, n, k)[o] -> (m, n + o * 4)>]
      reduce [add] ins(%x, %w : tensor<1x16xf32>, tensor<2x4x4x4xf32>) into(%y : tensor<1x8xf32>) at(%o) {
  ^bb1(%p: f32, %q: f32):
    %r = arith.mulf %p, %q : f32
    rop.yield %r : f32
  } -> tensor<1x8xf32>
  rtask.yield %root : tensor<1x8xf32>
}
func.func @main(%x: tensor<1x16xf32>, %y: tensor<1x8xf32>) {
  %w = rop.get_weight @packed : tensor<2x4x4x4xf32>
  %0 = rtask.dispatch @uneven ins(%x, %w : tensor<1x16xf32>, tensor<2x4x4x4xf32>)
      into(%y : tensor<1x8xf32>) -> tensor<1x8xf32>
  func.return
}

// -----

// CHECK: the threads of kernel @generic cannot share its matrix-vector product: #rop.tiling<generic tile {{\[}}1, 4] threads 8>
rtask.kernel @generic grid [2] reads [#rtask.box<(o) -> (0, 0) by [1, 16]>, #rtask.box<(o) -> (o, 0, 0, 0) by [1, 4, 4, 4]>]
    writes [#rtask.box<(o) -> (0, o * 4) by [1, 4]>]
    attributes {tiling = #rop.tiling<generic tile [1, 4] threads 8>,
                matrix_vector = #rtask.matrix_vector<x 0 w 1 m [] n 1 k [2] chunks 2>} {
^bb0(%o: index, %x: tensor<1x16xf32>, %w: tensor<2x4x4x4xf32>, %y: tensor<1x8xf32>):
  %root = rop.generic bounds [1, 4, 16]
      maps [affine_map<(m, n, k)[o] -> (m, k)>, affine_map<(m, n, k)[o] -> (o, k floordiv 4, n, k mod 4)>,
            affine_map<(m, n, k)[o] -> (m, n + o * 4)>]
      reduce [add] ins(%x, %w : tensor<1x16xf32>, tensor<2x4x4x4xf32>) into(%y : tensor<1x8xf32>) at(%o) {
  ^bb1(%p: f32, %q: f32):
    %r = arith.mulf %p, %q : f32
    rop.yield %r : f32
  } -> tensor<1x8xf32>
  rtask.yield %root : tensor<1x8xf32>
}
func.func @main(%x: tensor<1x16xf32>, %y: tensor<1x8xf32>) {
  %w = rop.get_weight @packed : tensor<2x4x4x4xf32>
  %0 = rtask.dispatch @generic ins(%x, %w : tensor<1x16xf32>, tensor<2x4x4x4xf32>)
      into(%y : tensor<1x8xf32>) -> tensor<1x8xf32>
  func.return
}
