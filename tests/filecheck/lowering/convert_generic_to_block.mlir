// RUN: rammer-opt %s -p convert-generic-to-block --split-input-file --verify-diagnostics | filecheck %s
// RUN: rammer-opt %s -p convert-generic-to-block,convert-generic-to-block --split-input-file --verify-diagnostics | filecheck %s

// Each thread has some neighbouring elements, two here since 30 is no multiple of 4. The last tile overhangs: a
// condition. What one generic hands on to the next stays in registers.
// CHECK:       block.body @[[BODY:generic_[0-9a-f]+]] threads 64 {
// CHECK-NEXT:  ^bb{{[0-9]+}}(%[[TASK:.*]]: index, %{{.*}}: index, %[[X:.*]]: memref<?xf32, "global">, %[[Y:.*]]: memref<?xf32, "global">, %[[POINTS:.*]]: index, %[[A:.*]]: index, %[[EXTENT:.*]]: index):
// CHECK:         block.parallel thread (%[[D:.*]]) in %[[POINTS]] {
// CHECK-NEXT:      %[[WIDTH:.*]] = arith.constant 2 : index
// CHECK-NEXT:      %[[FIRST:.*]] = arith.muli %[[D]], %[[WIDTH]] : index
// CHECK-NEXT:      %[[START:.*]] = arith.muli %[[TASK]], %[[A]] : index
// CHECK-NEXT:      %[[INDEX:.*]] = arith.addi %[[FIRST]], %[[START]] : index
// CHECK-NEXT:      %[[EXISTS:.*]] = arith.cmpi ult, %[[INDEX]], %[[EXTENT]] : index
// CHECK-NEXT:      scf.if %[[EXISTS]] {
// CHECK-NEXT:        %[[IN:.*]] = memref.alloca() : memref<2xf32, "thread">
// CHECK-NEXT:        block.copy 2 %[[X]][%[[INDEX]]], %[[IN]]
// CHECK-NEXT:        %[[P:.*]] = memref.load %[[IN]]
// CHECK:             %[[Q:.*]] = memref.load %[[IN]]
// CHECK-NEXT:        %[[S:.*]] = arith.addf %[[P]], %[[P]] : f32
// CHECK-NEXT:        %[[T:.*]] = math.tanh %[[S]] : f32
// CHECK-NEXT:        %[[S2:.*]] = arith.addf %[[Q]], %[[Q]] : f32
// CHECK-NEXT:        %[[T2:.*]] = math.tanh %[[S2]] : f32
// CHECK-NEXT:        %[[OUT:.*]] = memref.alloca() : memref<2xf32, "thread">
// CHECK-NEXT:        memref.store %[[T]], %[[OUT]]
// CHECK-NEXT:        memref.store %[[T2]], %[[OUT]]
// CHECK-NEXT:        block.copy 2 %[[OUT]][%{{.*}}], %[[Y]][%[[INDEX]]]
// CHECK-NEXT:      }
// CHECK-NEXT:    }
// CHECK-NEXT:    block.yield
// CHECK-NEXT:  }
// CHECK-NEXT:  rtask.kernel @element_wise
// CHECK:       } implementation @[[BODY]] [4, 8, 30]
// CHECK-NEXT:  rtask.kernel @larger
// CHECK:       } implementation @[[BODY]] [8, 16, 42]
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
// The same computation on tiles of 16 of 42 elements: the body is shared, its parameters differ.
rtask.kernel @larger grid [3] reads [#rtask.box<(i) -> (i * 16) by [16]>] writes [#rtask.box<(i) -> (i * 16) by [16]>]
    attributes {tiling = #rop.tiling<generic tile [16] threads 64>} {
^bb0(%i: index, %x: tensor<42xf32>, %y: tensor<42xf32>):
  %local = rop.generic bounds [16] maps [affine_map<(d)[i] -> (i * 16 + d)>, affine_map<(d)[i] -> (d)>] ins(%x : tensor<42xf32>) at(%i) {
  ^bb1(%p: f32):
    %s = arith.addf %p, %p : f32
    rop.yield %s : f32
  } -> tensor<16xf32>
  %root = rop.generic bounds [16] maps [affine_map<(d)[i] -> (d)>, affine_map<(d)[i] -> (i * 16 + d)>]
      ins(%local : tensor<16xf32>) into(%y : tensor<42xf32>) at(%i) {
  ^bb2(%p: f32):
    %t = math.tanh %p : f32
    rop.yield %t : f32
  } -> tensor<42xf32>
  rtask.yield %root : tensor<42xf32>
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
func.func @main(%x: tensor<30xf32>, %y: tensor<30xf32>, %u: tensor<42xf32>, %v: tensor<42xf32>, %z: tensor<4xf32>) {
  %0 = rtask.dispatch @element_wise ins(%x : tensor<30xf32>) into(%y : tensor<30xf32>) -> tensor<30xf32>
  %1 = rtask.dispatch @larger ins(%u : tensor<42xf32>) into(%v : tensor<42xf32>) -> tensor<42xf32>
  %2 = rtask.dispatch @contraction into(%z : tensor<4xf32>) -> tensor<4xf32>
  %3 = rtask.dispatch @done into(%z : tensor<4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// Row sums: the lanes of a warp share a row, each has every 32nd vector of 4 elements, as far as there are any, and one
// of them stores. A weight is read as a weight; a step of a loop reads its row.
// CHECK:       block.body @[[BODY:generic_[0-9a-f]+]] threads 64 {
// CHECK-NEXT:  ^bb{{[0-9]+}}(%[[TASK:.*]]: index, %[[STEP:.*]]: index, %[[X:.*]]: memref<?xf32, "global">, %[[W:.*]]: memref<?xf32, "weights">, %[[Y:.*]]: memref<?xf32, "global">, %[[THREADS:[0-9]+]]: index
// CHECK:         block.parallel thread (%[[I:.*]]) in %[[THREADS]] {
// CHECK:           %[[SLICE:.*]] = arith.remui %[[I]], %[[LANES:.*]] : index
// CHECK-NEXT:      %[[ROW:.*]] = arith.divui %[[I]], %[[LANES]] : index
// CHECK:           %[[E:.*]] = arith.muli %[[SLICE]]
// CHECK:           %[[EXISTS:.*]] = arith.cmpi ult, %[[E]]
// CHECK:           arith.muli %[[STEP]]
// CHECK:           block.copy 4 %[[X]]
// CHECK:           scf.if %[[EXISTS]] {
// CHECK-NEXT:        block.copy 4 %[[W]][%[[E]]]
// CHECK:           %[[M:.*]] = arith.mulf
// CHECK:           arith.select %[[EXISTS]], %[[M]]
// CHECK:           %[[SUM:.*]] = block.lane_reduce add %{{.*}} over 32 step 1 : f32
// CHECK:           %[[T:.*]] = math.tanh %[[SUM]] : f32
// CHECK:           %[[IS_FIRST:.*]] = arith.cmpi slt, %[[SLICE]]
// CHECK:           scf.if
// CHECK:             memref.store %[[T]], %[[Y]]
// CHECK:       } implementation @[[BODY]] [128, 4, 6, 100, 100, 400, 600]
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

// A short reduction is spelled out in each thread, loads first; what is read out of range is the pad value.
// CHECK:         %[[INSIDE:.*]] = arith.cmpi ult
// CHECK-NEXT:    %[[P:.*]] = scf.if %[[INSIDE]] -> (i32) {
// CHECK-NEXT:      %[[LOADED:.*]] = memref.load
// CHECK-NEXT:      scf.yield %[[LOADED]] : i32
// CHECK-NEXT:    } else {
// CHECK-NEXT:      %[[PAD:.*]] = arith.constant 7 : i32
// CHECK-NEXT:      scf.yield %[[PAD]] : i32
// CHECK-NEXT:    }
// CHECK:         %[[Q:.*]] = scf.if
// CHECK:         %[[R:.*]] = scf.if
// CHECK:         %[[LOW:.*]] = arith.minsi %[[P]], %[[Q]] : i32
// CHECK-NEXT:    %[[LOWEST:.*]] = arith.minsi %[[LOW]], %[[R]] : i32
// CHECK-NEXT:    memref.store %[[LOWEST]]
// CHECK:       } implementation @{{.*}} [5, 2, -1, 9]
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

// What one generic hands on to other places than those where it is computed lies in shared memory; a long reduction is
// shared by the lanes of a warp.
// CHECK:         %[[SQUARES:.*]] = memref.alloca() : memref<40xf32, "shared">
// CHECK-NEXT:    block.parallel thread (%[[D:.*]]) in
// CHECK:           memref.store %{{.*}}, %[[SQUARES]][%[[D]]] : memref<40xf32, "shared">
// CHECK:         block.barrier
// CHECK-NEXT:    block.parallel warp (%[[ROW:.*]]) in
// CHECK:           %[[SUM:.*]] = block.warp_reduce add (%[[E:.*]]) in %{{.*}} -> f32 {
// CHECK:             memref.load %[[SQUARES]]
// CHECK:           memref.store %[[SUM]]
rtask.kernel @windows grid [1] reads [#rtask.box<(i) -> (0) by [40]>] writes [#rtask.box<(i) -> (0) by [4]>]
    attributes {tiling = #rop.tiling<generic tile [4, 37] threads 64>} {
^bb0(%i: index, %x: tensor<40xf32>, %y: tensor<4xf32>):
  %squares = rop.generic bounds [40] maps [affine_map<(d)[i] -> (d)>, affine_map<(d)[i] -> (d)>] ins(%x : tensor<40xf32>) at(%i) {
  ^bb1(%p: f32):
    %m = arith.mulf %p, %p : f32
    rop.yield %m : f32
  } -> tensor<40xf32>
  %root = rop.generic bounds [4, 37] maps [affine_map<(d, e)[i] -> (d + e)>, affine_map<(d, e)[i] -> (d + e)>, affine_map<(d, e)[i] -> (d)>]
      reduce [add] ins(%squares, %squares : tensor<40xf32>, tensor<40xf32>) into(%y : tensor<4xf32>) at(%i) {
  ^bb2(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<4xf32>
  rtask.yield %root : tensor<4xf32>
}
func.func @main(%x: tensor<40xf32>, %y: tensor<4xf32>) {
  %0 = rtask.dispatch @windows ins(%x : tensor<40xf32>) into(%y : tensor<4xf32>) -> tensor<4xf32>
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
