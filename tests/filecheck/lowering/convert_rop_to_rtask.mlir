// RUN: rammer-opt %s -p convert-rop-to-rtask --split-input-file | filecheck %s

// Two candidates: tiles of 8 of 30 elements (the last one overhangs: its box is cut off), and one task for all.
// CHECK:       rtask.kernel @operator0_candidate0 grid [4] reads [#rtask.box<(d0) -> ((d0 * 8)) by [8]>] writes [#rtask.box<(d0) -> ((d0 * 8)) by [8]>] attributes {tiling = #rop.tiling<generic tile [8] threads 64>} {
// CHECK-NEXT:  ^bb{{[0-9]+}}(%[[I:.*]]: index, %[[X:.*]]: tensor<30xf32>, %[[Y:.*]]: tensor<30xf32>):
// CHECK-NEXT:    %[[LOCAL:.*]] = rop.generic bounds [8] maps [affine_map<(d0)[s0] -> ((d0 + (s0 * 8)))>, affine_map<(d0)[s0] -> (d0)>] ins(%[[X]] : tensor<30xf32>) at(%[[I]]) {
// CHECK-NEXT:    ^bb{{[0-9]+}}(%p: f32):
// CHECK-NEXT:      %index = rop.index 0
// CHECK-NEXT:      %[[SIZE:.*]] = arith.constant 8 : index
// CHECK-NEXT:      %[[START:.*]] = arith.muli %[[I]], %[[SIZE]] : index
// CHECK-NEXT:      %[[WHOLE:.*]] = arith.addi %index, %[[START]] : index
// CHECK-NEXT:      arith.index_cast %[[WHOLE]] : index to i32
// CHECK:         } -> tensor<8xf32>
// CHECK-NEXT:    %[[ROOT:.*]] = rop.generic bounds [8] maps [affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> ((d0 + (s0 * 8)))>] ins(%[[LOCAL]] : tensor<8xf32>) into(%[[Y]] : tensor<30xf32>) at(%[[I]]) {
// CHECK:         rtask.yield %[[ROOT]] : tensor<30xf32>
// CHECK:       rtask.kernel @operator0_candidate1 grid [1] reads [#rtask.box<(d0) -> (0) by [30]>] writes [#rtask.box<(d0) -> (0) by [30]>] attributes {tiling = #rop.tiling<generic tile [30] threads 64>} {
// CHECK-NOT:       arith.addi
// CHECK:       func.func @element_wise(%a: tensor<30xf32>)
// CHECK-NEXT:    %result = rtask.alternatives ins(%a : tensor<30xf32>) {
// CHECK-NEXT:    ^bb{{[0-9]+}}(%[[A:.*]]: tensor<30xf32>):
// CHECK-NEXT:      %[[E:.*]] = tensor.empty() : tensor<30xf32>
// CHECK-NEXT:      %[[D:.*]] = rtask.dispatch @operator0_candidate0 ins(%[[A]] : tensor<30xf32>) into(%[[E]] : tensor<30xf32>) -> tensor<30xf32>
// CHECK-NEXT:      rtask.yield %[[D]] : tensor<30xf32>
// CHECK-NEXT:    }, {
// CHECK:           rtask.dispatch @operator0_candidate1
// CHECK:         func.return %result
func.func @element_wise(%a: tensor<30xf32>) -> tensor<30xf32> {
  %result = rop.operator ins(%a : tensor<30xf32>)
      attributes {tilings = [#rop.tiling<generic tile [8] threads 64>, #rop.tiling<generic tile [30] threads 64>]} {
  ^bb0(%x: tensor<30xf32>):
    %local = rop.generic bounds [30] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<30xf32>) {
    ^bb1(%p: f32):
      %index = rop.index 0
      %number = arith.index_cast %index : index to i32
      %float = arith.sitofp %number : i32 to f32
      %s = arith.addf %p, %float : f32
      rop.yield %s : f32
    } -> tensor<30xf32>
    %root = rop.generic bounds [30] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%local : tensor<30xf32>) {
    ^bb2(%p: f32):
      %t = math.tanh %p : f32
      rop.yield %t : f32
    } -> tensor<30xf32>
    rop.yield %root : tensor<30xf32>
  } -> tensor<30xf32>
  func.return %result : tensor<30xf32>
}

// -----

// Rows are cut, not what is reduced; what lies between generics is as large as a tile. Equal operators share a kernel.
// CHECK:       rtask.kernel @operator0_candidate0 grid [2] reads [#rtask.box<(d0) -> ((d0 * 4), 0) by [4, 9]>] writes [#rtask.box<(d0) -> ((d0 * 4)) by [4]>]
// CHECK:           reduce [add]
// CHECK:         } -> tensor<4xf32>
// CHECK-NOT:   rtask.kernel
// CHECK:       func.func @twice
// CHECK:           rtask.dispatch @operator0_candidate0
// CHECK:           rtask.dispatch @operator0_candidate0
func.func @twice(%a: tensor<6x9xf32>) -> tensor<6xf32> {
  %once = rop.operator ins(%a : tensor<6x9xf32>) attributes {tilings = [#rop.tiling<generic tile [4] threads 64>]} {
  ^bb0(%x: tensor<6x9xf32>):
    %sum = rop.generic bounds [6, 9] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] reduce [add]
        ins(%x : tensor<6x9xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<6xf32>
    %root = rop.generic bounds [6] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%sum : tensor<6xf32>) {
    ^bb2(%p: f32):
      %t = math.tanh %p : f32
      rop.yield %t : f32
    } -> tensor<6xf32>
    rop.yield %root : tensor<6xf32>
  } -> tensor<6xf32>
  %again = rop.operator ins(%a : tensor<6x9xf32>) attributes {tilings = [#rop.tiling<generic tile [4] threads 64>]} {
  ^bb0(%y: tensor<6x9xf32>):
    %total = rop.generic bounds [6, 9] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] reduce [add]
        ins(%y : tensor<6x9xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<6xf32>
    %end = rop.generic bounds [6] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%total : tensor<6xf32>) {
    ^bb2(%q: f32):
      %t = math.tanh %q : f32
      rop.yield %t : f32
    } -> tensor<6xf32>
    rop.yield %end : tensor<6xf32>
  } -> tensor<6xf32>
  func.return %again : tensor<6xf32>
}

// -----

// A contraction reads its weight packed: [blocks of N, blocks of K, block_k, block_n], zero beyond. The packing is a
// weight of its own, whose name no other symbol has.
// CHECK:       rtask.kernel @operator0_candidate0 grid [2, 2]
// CHECK-SAME:    reads [#rtask.box<(d0, d1) -> ((d0 * 32), 0) by [32, 24]>, #rtask.box<(d0, d1) -> (d1, 0, 0, 0) by [1, 3, 8, 16]>]
// CHECK-SAME:    writes [#rtask.box<(d0, d1) -> ((d0 * 32), (d1 * 16)) by [32, 16]>]
// CHECK-SAME:    contraction = #rtask.contraction<x 0 w 1 m [0] n 1 k [2] checked [] channels true chunks 3>
// CHECK:         rop.generic bounds [32, 16, 24]
// CHECK-SAME:      affine_map<(d0, d1, d2)[s0, s1] -> (s1, (d2 floordiv 8), (d2 mod 8), d1)>
// CHECK:       rop.weight @w_packed0_1 : tensor<2x3x8x16xf32> {
// CHECK-NEXT:    %[[W:.*]] = rop.get_weight @w : tensor<24x20xf32>
// CHECK-NEXT:    rop.generic bounds [2, 3, 8, 16] maps [affine_map<(d0, d1, d2, d3) -> (((d1 * 8) + d2), ((d0 * 16) + d3))>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>] pad [0.000000e+00 : f32] ins(%[[W]] : tensor<24x20xf32>) {
// CHECK:       func.func @contraction
// CHECK:           %[[PACKED:.*]] = rop.get_weight @w_packed0_1 : tensor<2x3x8x16xf32>
// CHECK:           rtask.dispatch @operator0_candidate0 ins(%{{.*}}, %[[PACKED]] : tensor<40x24xf32>, tensor<2x3x8x16xf32>)
rop.weight @w : tensor<24x20xf32> hash "w"
rop.weight @w_packed0 : tensor<1xf32> hash "0"
func.func @contraction(%a: tensor<40x24xf32>) -> tensor<40x20xf32> {
  %w = rop.get_weight @w : tensor<24x20xf32>
  %result = rop.operator ins(%a, %w : tensor<40x24xf32>, tensor<24x20xf32>)
      attributes {tilings = [#rop.tiling<contraction tile [32, 16, 24] threads 64 block [32, 16, 8] slices 1>]} {
  ^bb0(%x: tensor<40x24xf32>, %y: tensor<24x20xf32>):
    %product = rop.generic bounds [40, 20, 24]
        maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
        reduce [add] ins(%x, %y : tensor<40x24xf32>, tensor<24x20xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<40x20xf32>
    rop.yield %product : tensor<40x20xf32>
  } -> tensor<40x20xf32>
  func.return %result : tensor<40x20xf32>
}

// -----

// A destination that is given is written into; a step of a scan takes the loop's index.
// CHECK:       rtask.kernel @operator0_candidate0 grid [2] loops 1
// CHECK-SAME:    reads [#rtask.box<(d0)[s0] -> (s0, (d0 * 2)) by [1, 2]>] writes [#rtask.box<(d0)[s0] -> (s0, ((d0 * 2) + 3)) by [1, 2]>]
// CHECK-NEXT:  ^bb{{[0-9]+}}(%[[I:.*]]: index, %[[T:.*]]: index, %{{.*}}: tensor<10x4xf32>, %{{.*}}: tensor<10x8xf32>):
// CHECK-NEXT:    rop.generic bounds [2] maps [affine_map<(d0)[s0, s1] -> (s1, (d0 + (s0 * 2)))>, affine_map<(d0)[s0, s1] -> (s1, ((d0 + (s0 * 2)) + 3))>]
// CHECK-SAME:      at(%[[I]], %[[T]])
// CHECK:       rop.scan
// CHECK:         rtask.alternatives ins(%t, %x, %y : index, tensor<10x4xf32>, tensor<10x8xf32>) {
// CHECK-NEXT:    ^bb{{[0-9]+}}(%[[STEP:.*]]: index, %[[SOURCE:.*]]: tensor<10x4xf32>, %[[TARGET:.*]]: tensor<10x8xf32>):
// CHECK-NEXT:      rtask.dispatch @operator0_candidate0 ins(%[[SOURCE]] : tensor<10x4xf32>) into(%[[TARGET]] : tensor<10x8xf32>) at(%[[STEP]])
func.func @steps(%n: index, %rows: tensor<10x4xf32>, %all: tensor<10x8xf32>) -> tensor<10x8xf32> {
  %last = rop.scan %n carried(%all : tensor<10x8xf32>) captured(%rows : tensor<10x4xf32>) {
  ^bb0(%t: index, %y: tensor<10x8xf32>, %x: tensor<10x4xf32>):
    %next = rop.operator ins(%t, %x, %y : index, tensor<10x4xf32>, tensor<10x8xf32>)
        attributes {tilings = [#rop.tiling<generic tile [2] threads 64>]} {
    ^bb1(%step: index, %source: tensor<10x4xf32>, %target: tensor<10x8xf32>):
      %written = rop.generic bounds [4] maps [affine_map<(i)[t] -> (t, i)>, affine_map<(i)[t] -> (t, i + 3)>]
          ins(%source : tensor<10x4xf32>) into(%target : tensor<10x8xf32>) at(%step) {
      ^bb2(%p: f32):
        rop.yield %p : f32
      } -> tensor<10x8xf32>
      rop.yield %written : tensor<10x8xf32>
    } -> tensor<10x8xf32>
    rop.yield %next : tensor<10x8xf32>
  } -> tensor<10x8xf32>
  func.return %last : tensor<10x8xf32>
}

// -----

// A split: the partial sums of 3 parts of 8 products, then their sum and the bias. The tensor between is [part, row, column].
// CHECK:       rtask.kernel @operator0_split0_partial grid [3, 2] reads [#rtask.box<(d0, d1) -> (0, (d0 * 8)) by [4, 8]>, #rtask.box<(d0, d1) -> ((d0 * 8), (d1 * 5)) by [8, 5]>] writes [#rtask.box<(d0, d1) -> (d0, 0, (d1 * 5)) by [1, 4, 5]>]
// CHECK:         rop.generic bounds [1, 4, 5, 8]
// CHECK-SAME:      reduce [add]
// CHECK:       rtask.kernel @operator0_split0_total grid [1] reads [#rtask.box<(d0) -> (0, 0, 0) by [3, 4, 10]>, #rtask.box<(d0) -> (0) by [10]>] writes [#rtask.box<(d0) -> (0, 0) by [4, 10]>]
// CHECK:         %[[SUM:.*]] = rop.generic bounds [4, 10] maps [affine_map<(d0, d1)[s0] -> (0, d0, d1)>, affine_map<(d0, d1)[s0] -> (1, d0, d1)>, affine_map<(d0, d1)[s0] -> (2, d0, d1)>, affine_map<(d0, d1)[s0] -> (d0, d1)>] ins(%[[PARTS:[0-9]+]], %[[PARTS]], %[[PARTS]]
// CHECK:           %[[FIRST:.*]] = arith.addf
// CHECK-NEXT:      arith.addf %[[FIRST]],
// CHECK:         rop.generic bounds [4, 10] maps [{{.*}}] ins(%[[SUM]],
// CHECK:       rtask.alternatives
// CHECK:           rtask.dispatch @operator0_candidate0
// CHECK:         }, {
// CHECK:           %[[PARTIAL:.*]] = rtask.dispatch @operator0_split0_partial ins(%{{.*}}) into(%{{.*}} : tensor<3x4x10xf32>) -> tensor<3x4x10xf32>
// CHECK:           rtask.dispatch @operator0_split0_total ins(%[[PARTIAL]], %{{.*}}) into(%{{.*}} : tensor<4x10xf32>) -> tensor<4x10xf32>
rop.weight @w : tensor<24x10xf32> hash "w"
func.func @split(%a: tensor<4x24xf32>, %b: tensor<10xf32>) -> tensor<4x10xf32> {
  %w = rop.get_weight @w : tensor<24x10xf32>
  %result = rop.operator ins(%a, %w, %b : tensor<4x24xf32>, tensor<24x10xf32>, tensor<10xf32>)
      attributes {tilings = [#rop.tiling<generic tile [4, 10] threads 64>],
                  splits = [#rop.split<dim 2 parts 3 partial #rop.tiling<generic tile [1, 4, 5, 8] threads 64>
                                       total #rop.tiling<generic tile [4, 10] threads 64>>]} {
  ^bb0(%x: tensor<4x24xf32>, %y: tensor<24x10xf32>, %z: tensor<10xf32>):
    %product = rop.generic bounds [4, 10, 24]
        maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
        reduce [add] ins(%x, %y : tensor<4x24xf32>, tensor<24x10xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<4x10xf32>
    %biased = rop.generic bounds [4, 10]
        maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>]
        ins(%product, %z : tensor<4x10xf32>, tensor<10xf32>) {
    ^bb2(%p: f32, %q: f32):
      %s = arith.addf %p, %q : f32
      rop.yield %s : f32
    } -> tensor<4x10xf32>
    rop.yield %biased : tensor<4x10xf32>
  } -> tensor<4x10xf32>
  func.return %result : tensor<4x10xf32>
}
