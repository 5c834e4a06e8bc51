// RUN: rammer-opt %s -p convert-generic-to-block --split-input-file --verify-diagnostics | filecheck %s
// RUN: rammer-opt %s -p convert-generic-to-block,convert-generic-to-block --split-input-file --verify-diagnostics | filecheck %s

// The last tile overhangs: a condition. What is computed once and used once is computed where it is used.
// CHECK:       block.body @[[BODY:generic_[0-9a-f]+]] threads 64 {
// CHECK-NEXT:  ^bb{{[0-9]+}}(%[[TASK:.*]]: index, %{{.*}}: index, %[[X:.*]]: memref<?xf32, "global">, %[[Y:.*]]: memref<?xf32, "global">, %[[POINTS:.*]]: index, %[[A:.*]]: index, %[[EXTENT:.*]]: index, %[[B:.*]]: index, %[[C:.*]]: index):
// CHECK:         block.parallel thread (%[[D:.*]]) in %[[POINTS]] {
// CHECK-NEXT:      %[[START:.*]] = arith.muli %[[TASK]], %[[A]] : index
// CHECK-NEXT:      %[[INDEX:.*]] = arith.addi %[[START]], %[[D]] : index
// CHECK-NEXT:      %[[EXISTS:.*]] = arith.cmpi ult, %[[INDEX]], %[[EXTENT]] : index
// CHECK-NEXT:      scf.if %[[EXISTS]] {
// CHECK-NEXT:        %{{.*}} = arith.muli %[[TASK]], %[[B]] : index
// CHECK-NEXT:        %[[SOURCE:.*]] = arith.addi
// CHECK-NEXT:        %[[P:.*]] = memref.load %[[X]][%[[SOURCE]]] : memref<?xf32, "global">
// CHECK-NEXT:        %[[S:.*]] = arith.addf %[[P]], %[[P]] : f32
// CHECK-NEXT:        %[[T:.*]] = math.tanh %[[S]] : f32
// CHECK-NEXT:        %{{.*}} = arith.muli %[[TASK]], %[[C]] : index
// CHECK-NEXT:        %[[TARGET:.*]] = arith.addi
// CHECK-NEXT:        memref.store %[[T]], %[[Y]][%[[TARGET]]] : memref<?xf32, "global">
// CHECK-NEXT:      }
// CHECK-NEXT:    }
// CHECK-NEXT:    block.yield
// CHECK-NEXT:  }
// CHECK-NEXT:  rtask.kernel @element_wise
// CHECK:       } implementation @[[BODY]] [8, 8, 30, 8, 8]
// CHECK-NEXT:  rtask.kernel @larger
// CHECK:       } implementation @[[BODY]] [16, 16, 40, 16, 16]
// CHECK-NEXT:  rtask.kernel @contraction
// CHECK-NOT:   implementation
// CHECK:       rtask.kernel @done
// CHECK:       } implementation @by_hand []
rtask.kernel @element_wise grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>]
    attributes {tiling = #rop.tiling<generic tile [8] threads 64>} {
^bb0(%i: index, %x: tensor<30xf32>, %y: tensor<30xf32>):
  %local = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (d)>] ins(%x : tensor<30xf32>) at(%i) {
  ^bb1(%p: f32):
    %s = arith.addf %p, %p : f32
    rop.yield %s : f32
  } -> tensor<8xf32>
  %root = rop.generic bounds [8] maps [affine_map<(d)[i] -> (d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%local : tensor<8xf32>) into(%y : tensor<30xf32>) at(%i) {
  ^bb2(%p: f32):
    %t = math.tanh %p : f32
    rop.yield %t : f32
  } -> tensor<30xf32>
  rtask.yield %root : tensor<30xf32>
}
// The same computation on tiles of 16 of 40 elements: the body is shared, its parameters differ.
rtask.kernel @larger grid [3] reads [#rtask.box<(i) -> (i * 16) by [16]>] writes [#rtask.box<(i) -> (i * 16) by [16]>]
    attributes {tiling = #rop.tiling<generic tile [16] threads 64>} {
^bb0(%i: index, %x: tensor<40xf32>, %y: tensor<40xf32>):
  %local = rop.generic bounds [16] maps [affine_map<(d)[i] -> (i * 16 + d)>, affine_map<(d)[i] -> (d)>] ins(%x : tensor<40xf32>) at(%i) {
  ^bb1(%p: f32):
    %s = arith.addf %p, %p : f32
    rop.yield %s : f32
  } -> tensor<16xf32>
  %root = rop.generic bounds [16] maps [affine_map<(d)[i] -> (d)>, affine_map<(d)[i] -> (i * 16 + d)>]
      ins(%local : tensor<16xf32>) into(%y : tensor<40xf32>) at(%i) {
  ^bb2(%p: f32):
    %t = math.tanh %p : f32
    rop.yield %t : f32
  } -> tensor<40xf32>
  rtask.yield %root : tensor<40xf32>
}
// A contraction, a kernel that has a body, and a kernel that nothing uses are left alone.
rtask.kernel @contraction grid [1] reads [] writes [#rtask.box<(i) -> (0) by [4]>]
    attributes {contraction = #rtask.contraction<x 0 w 1 m [0] n 1 k [2] checked [] channels true chunks 3>} {
^bb0(%i: index, %y: tensor<4xf32>):
  rtask.yield %y : tensor<4xf32>
}
rtask.kernel @unused grid [1] reads [] writes [#rtask.box<(i) -> (0) by [4]>] attributes {tiling = #rop.tiling<generic tile [4] threads 64>} {
^bb0(%i: index, %y: tensor<4xf32>):
  rtask.yield %y : tensor<4xf32>
}
rtask.kernel @done grid [1] reads [] writes [#rtask.box<(i) -> (0) by [4]>] {
^bb0(%i: index, %y: tensor<4xf32>):
  rtask.yield %y : tensor<4xf32>
} implementation @by_hand []
func.func @main(%x: tensor<30xf32>, %y: tensor<30xf32>, %u: tensor<40xf32>, %v: tensor<40xf32>, %z: tensor<4xf32>) {
  %0 = rtask.dispatch @element_wise ins(%x : tensor<30xf32>) into(%y : tensor<30xf32>) -> tensor<30xf32>
  %1 = rtask.dispatch @larger ins(%u : tensor<40xf32>) into(%v : tensor<40xf32>) -> tensor<40xf32>
  %2 = rtask.dispatch @contraction into(%z : tensor<4xf32>) -> tensor<4xf32>
  %3 = rtask.dispatch @done into(%z : tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// Row sums: a long reduction is shared by the lanes of a warp, and its result lies in shared memory; a weight is read
// as a weight; a step of a loop reads its row.
// CHECK:       block.body @[[BODY:generic_[0-9a-f]+]] threads 64 {
// CHECK-NEXT:  ^bb{{[0-9]+}}(%[[TASK:.*]]: index, %[[STEP:.*]]: index, %[[X:.*]]: memref<?xf32, "global">, %[[W:.*]]: memref<?xf32, "weights">, %[[Y:.*]]: memref<?xf32, "global">
// CHECK:         %[[SUMS:.*]] = memref.alloca() : memref<4xf32, "shared">
// CHECK-NEXT:    block.parallel warp (%[[D:.*]]) in
// CHECK:           %[[EXISTS:.*]] = arith.cmpi ult
// CHECK-NEXT:      scf.if %[[EXISTS]] {
// CHECK-NEXT:        %[[SUM:.*]] = block.warp_reduce add (%[[E:.*]]) in %{{.*}} -> f32 {
// CHECK:               arith.muli %[[STEP]]
// CHECK:               %[[P:.*]] = memref.load %[[X]]
// CHECK-NEXT:          %[[Q:.*]] = memref.load %[[W]][%[[E]]] : memref<?xf32, "weights">
// CHECK-NEXT:          %[[M:.*]] = arith.mulf %[[P]], %[[Q]] : f32
// CHECK-NEXT:          block.yield %[[M]] : f32
// CHECK-NEXT:        }
// CHECK-NEXT:        memref.store %[[SUM]], %[[SUMS]][%[[D]]] : memref<4xf32, "shared">
// CHECK-NEXT:      }
// CHECK-NEXT:    }
// CHECK-NEXT:    block.barrier
// CHECK-NEXT:    block.parallel thread (%[[F:.*]]) in
// CHECK:             memref.load %[[SUMS]][%[[F]]] : memref<4xf32, "shared">
// CHECK:       } implementation @[[BODY]] [4, 4, 6, 100, 100, 400, 600, 4, 4, 6, 4]
rop.weight @w : tensor<100xf32> hash "w"
rtask.kernel @rows grid [2] loops 1 reads [#rtask.box<(i)[t] -> (t, i * 4, 0) by [1, 4, 100]>, #rtask.box<(i)[t] -> (0) by [100]>]
    writes [#rtask.box<(i)[t] -> (i * 4) by [4]>] attributes {tiling = #rop.tiling<generic tile [4] threads 64>} {
^bb0(%i: index, %t: index, %x: tensor<10x6x100xf32>, %w: tensor<100xf32>, %y: tensor<6xf32>):
  %sum = rop.generic bounds [4, 100]
      maps [affine_map<(d, e)[i, t] -> (t, i * 4 + d, e)>, affine_map<(d, e)[i, t] -> (e)>, affine_map<(d, e)[i, t] -> (d)>]
      reduce [add] ins(%x, %w : tensor<10x6x100xf32>, tensor<100xf32>) at(%i, %t) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<4xf32>
  %root = rop.generic bounds [4] maps [affine_map<(d)[i, t] -> (d)>, affine_map<(d)[i, t] -> (i * 4 + d)>]
      ins(%sum : tensor<4xf32>) into(%y : tensor<6xf32>) at(%i, %t) {
  ^bb2(%p: f32):
    %t2 = math.tanh %p : f32
    rop.yield %t2 : f32
  } -> tensor<6xf32>
  rtask.yield %root : tensor<6xf32>
}
func.func @main(%x: tensor<10x6x100xf32>, %y: tensor<6xf32>, %t: index) {
  %w = rop.get_weight @w : tensor<100xf32>
  %0 = rtask.dispatch @rows ins(%x, %w : tensor<10x6x100xf32>, tensor<100xf32>) into(%y : tensor<6xf32>) at(%t) -> tensor<6xf32>
  func.return
}

// -----

// A short reduction is a loop of each thread; what is read out of range is the pad value.
// CHECK:         %[[START:.*]] = arith.constant 2147483647 : i32
// CHECK:         %[[LOWEST:.*]] = scf.for %{{.*}} iter_args(%[[SO_FAR:.*]] = %[[START]]) -> (i32) {
// CHECK:           %[[INSIDE:.*]] = arith.cmpi ult
// CHECK-NEXT:      %[[P:.*]] = scf.if %[[INSIDE]] -> (i32) {
// CHECK:             %[[LOADED:.*]] = memref.load
// CHECK-NEXT:        scf.yield %[[LOADED]] : i32
// CHECK-NEXT:      } else {
// CHECK-NEXT:        %[[PAD:.*]] = arith.constant 7 : i32
// CHECK-NEXT:        scf.yield %[[PAD]] : i32
// CHECK-NEXT:      }
// CHECK-NEXT:      arith.minsi %[[SO_FAR]], %[[P]] : i32
// CHECK:         memref.store %[[LOWEST]]
// CHECK:       } implementation @{{.*}} [5, 3, 2, -1, 9, 2, -1]
rtask.kernel @pool grid [1] reads [#rtask.box<(i) -> (0) by [9]>] writes [#rtask.box<(i) -> (0) by [5]>]
    attributes {tiling = #rop.tiling<generic tile [5, 3] threads 64>} {
^bb0(%i: index, %x: tensor<9xi32>, %y: tensor<5xi32>):
  %root = rop.generic bounds [5, 3] maps [affine_map<(d, e)[i] -> (d * 2 + e - 1)>, affine_map<(d, e)[i] -> (d)>]
      reduce [minimum] pad [7 : i32] ins(%x : tensor<9xi32>) into(%y : tensor<5xi32>) at(%i) {
  ^bb1(%p: i32):
    rop.yield %p : i32
  } -> tensor<5xi32>
  rtask.yield %root : tensor<5xi32>
}
func.func @main(%x: tensor<9xi32>, %y: tensor<5xi32>) {
  %0 = rtask.dispatch @pool ins(%x : tensor<9xi32>) into(%y : tensor<5xi32>) -> tensor<5xi32>
  func.return
}

// -----

// CHECK: kernel @untold has no tiling, which says how many threads compute it
rtask.kernel @untold grid [1] reads [] writes [#rtask.box<(i) -> (0) by [4]>] {
^bb0(%i: index, %y: tensor<4xf32>):
  rtask.yield %y : tensor<4xf32>
}
func.func @main(%y: tensor<4xf32>) {
  %0 = rtask.dispatch @untold into(%y : tensor<4xf32>) -> tensor<4xf32>
  func.return
}
