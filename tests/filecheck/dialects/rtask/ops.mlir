// RUN: RAMMER_ROUNDTRIP
// RUN: rammer-opt %s | rammer-opt | filecheck %s

"test.op"() {
  boxes = [#rtask.box<(h, w) -> (0, 0, h * 8 - 1, w * 8 - 1) by [1, 3, 10, 10]>, #rtask.box<(p)[t] -> (t, p * 4) by [1, 4]>,
           #rtask.box<() -> () by []>],
  costs = [#rtask.cost<4.2 us from "analytic">, #rtask.cost<0 us from "a \"guess\"">, #rtask.cost<1.0e-5 us from "measured">],
  contractions = [#rtask.contraction<x 0 w 1 m [1, 2] n 0 k [4, 5, 3] checked [2, 3] channels true chunks 18>,
                  #rtask.contraction<x 1 w 0 m [0] n 1 k [2] checked [] channels false chunks 1>],
  products = [#rtask.matrix_vector<x 0 w 1 m [] n 0 k [2, 1] chunks 8>, #rtask.matrix_vector<x 1 w 0 m [0, 3] n 1 k [2] chunks 1>]
} : () -> ()

// Two coordinates and a loop index; nothing implements it yet.
rtask.kernel @step grid [4, 2] loops 1
    reads [#rtask.box<(i, j)[t] -> (t, i * 8, j * 2) by [1, 8, 2]>] writes [#rtask.box<(i, j)[t] -> (i * 8, j * 2) by [8, 2]>]
    attributes {tiling = #rop.tiling<generic tile [8, 2] threads 64>} {
^bb0(%i: index, %j: index, %t: index, %x: tensor<10x30x4xf32>, %y: tensor<30x4xf32>):
  %r = rop.generic bounds [8, 2]
      maps [affine_map<(a, b)[i, j, t] -> (t, i * 8 + a, j * 2 + b)>, affine_map<(a, b)[i, j, t] -> (i * 8 + a, j * 2 + b)>]
      ins(%x : tensor<10x30x4xf32>) into(%y : tensor<30x4xf32>) at(%i, %j, %t) {
  ^bb1(%p: f32):
    rop.yield %p : f32
  } -> tensor<30x4xf32>
  rtask.yield %r : tensor<30x4xf32>
}

// No tensor read, two written; implementations with and without parameters and constants.
rtask.kernel @zeros grid [1] reads [] writes [#rtask.box<(i) -> (0) by [4]>, #rtask.box<(i) -> (0) by [4]>] {
^bb0(%i: index, %x: tensor<4xf32>, %y: tensor<4xf32>):
  rtask.yield %x, %y : tensor<4xf32>, tensor<4xf32>
} implementation @zeros_block [4, -1] constants [@table, @other]

rtask.kernel @same grid [1] reads [] writes [#rtask.box<(i) -> (0) by [4]>] {
^bb0(%i: index, %x: tensor<4xf32>):
  rtask.yield %x : tensor<4xf32>
} implementation @same_block []

func.func @dispatches(%x: tensor<10x30x4xf32>, %y: tensor<30x4xf32>, %z: tensor<4xf32>, %t: index) {
  %0 = rtask.dispatch @step ins(%x : tensor<10x30x4xf32>) into(%y : tensor<30x4xf32>) at(%t)
      cost #rtask.cost<1.5 us from "analytic"> wave 3 place affine_map<(i) -> (i mod 4)> attributes {note} -> tensor<30x4xf32>
  %1, %2 = rtask.dispatch @zeros into(%z, %z : tensor<4xf32>, tensor<4xf32>)
      wave 0 place dense<[5]> : tensor<1xi32> -> tensor<4xf32>, tensor<4xf32>
  %3 = rtask.dispatch @same into(%z : tensor<4xf32>) -> tensor<4xf32>
  func.return
}

func.func @alternatives(%z: tensor<4xf32>) -> tensor<4xf32> {
  %r = rtask.alternatives ins(%z : tensor<4xf32>) attributes {note} {
  ^bb0(%a: tensor<4xf32>):
    %0 = rtask.dispatch @same into(%a : tensor<4xf32>) -> tensor<4xf32>
    rtask.yield %0 : tensor<4xf32>
  }, {
  ^bb1(%a: tensor<4xf32>):
    rtask.yield %a : tensor<4xf32>
  } -> tensor<4xf32>
  %e = rtask.alternatives {
    %0 = tensor.empty() : tensor<4xf32>
    rtask.yield %0 : tensor<4xf32>
  } -> tensor<4xf32>
  func.return %r : tensor<4xf32>
}

// CHECK:      "test.op"() {boxes = [#rtask.box<(d0, d1) -> (0, 0, ((d0 * 8) + -1), ((d1 * 8) + -1)) by [1, 3, 10, 10]>, #rtask.box<(d0)[s0] -> (s0, (d0 * 4)) by [1, 4]>, #rtask.box<() -> () by []>], costs = [#rtask.cost<4.2 us from "analytic">, #rtask.cost<0.0 us from "a \22guess\22">, #rtask.cost<1.0e-05 us from "measured">], contractions = [#rtask.contraction<x 0 w 1 m [1, 2] n 0 k [4, 5, 3] checked [2, 3] channels true chunks 18>, #rtask.contraction<x 1 w 0 m [0] n 1 k [2] checked [] channels false chunks 1>], products = [#rtask.matrix_vector<x 0 w 1 m [] n 0 k [2, 1] chunks 8>, #rtask.matrix_vector<x 1 w 0 m [0, 3] n 1 k [2] chunks 1>]} : () -> ()
// CHECK:      rtask.kernel @step grid [4, 2] loops 1 reads [#rtask.box<(d0, d1)[s0] -> (s0, (d0 * 8), (d1 * 2)) by [1, 8, 2]>] writes [#rtask.box<(d0, d1)[s0] -> ((d0 * 8), (d1 * 2)) by [8, 2]>] attributes {tiling = #rop.tiling<generic tile [8, 2] threads 64>} {
// CHECK-NEXT: ^bb{{[0-9]+}}(%i: index, %j: index, %t: index, %x: tensor<10x30x4xf32>, %y: tensor<30x4xf32>):
// CHECK-NEXT:   %r = rop.generic bounds [8, 2] maps [affine_map<(d0, d1)[s0, s1, s2] -> (s2, ((s0 * 8) + d0), ((s1 * 2) + d1))>, affine_map<(d0, d1)[s0, s1, s2] -> (((s0 * 8) + d0), ((s1 * 2) + d1))>] ins(%x : tensor<10x30x4xf32>) into(%y : tensor<30x4xf32>) at(%i, %j, %t) {
// CHECK-NEXT:   ^bb{{[0-9]+}}(%p: f32):
// CHECK-NEXT:     rop.yield %p : f32
// CHECK-NEXT:   } -> tensor<30x4xf32>
// CHECK-NEXT:   rtask.yield %r : tensor<30x4xf32>
// CHECK-NEXT: }
// CHECK:      rtask.kernel @zeros grid [1] reads [] writes [#rtask.box<(d0) -> (0) by [4]>, #rtask.box<(d0) -> (0) by [4]>] {
// CHECK-NEXT: ^bb{{[0-9]+}}(%i: index, %x: tensor<4xf32>, %y: tensor<4xf32>):
// CHECK-NEXT:   rtask.yield %x, %y : tensor<4xf32>, tensor<4xf32>
// CHECK-NEXT: } implementation @zeros_block [4, -1] constants [@table, @other]
// CHECK:      rtask.kernel @same grid [1] reads [] writes [#rtask.box<(d0) -> (0) by [4]>] {
// CHECK-NEXT: ^bb{{[0-9]+}}(%i: index, %x: tensor<4xf32>):
// CHECK-NEXT:   rtask.yield %x : tensor<4xf32>
// CHECK-NEXT: } implementation @same_block []
// CHECK:      func.func @dispatches(%x: tensor<10x30x4xf32>, %y: tensor<30x4xf32>, %z: tensor<4xf32>, %t: index) {
// CHECK-NEXT:   %0 = rtask.dispatch @step ins(%x : tensor<10x30x4xf32>) into(%y : tensor<30x4xf32>) at(%t) cost #rtask.cost<1.5 us from "analytic"> wave 3 place affine_map<(d0) -> ((d0 mod 4))> attributes {note} -> tensor<30x4xf32>
// CHECK-NEXT:   %1, %2 = rtask.dispatch @zeros into(%z, %z : tensor<4xf32>, tensor<4xf32>) wave 0 place dense<5> : tensor<1xi32> -> tensor<4xf32>, tensor<4xf32>
// CHECK-NEXT:   %3 = rtask.dispatch @same into(%z : tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:   func.return
// CHECK-NEXT: }
// CHECK:      func.func @alternatives(%z: tensor<4xf32>) -> tensor<4xf32> {
// CHECK-NEXT:   %r = rtask.alternatives ins(%z : tensor<4xf32>) attributes {note} {
// CHECK-NEXT:   ^bb{{[0-9]+}}(%a: tensor<4xf32>):
// CHECK-NEXT:     %0 = rtask.dispatch @same into(%a : tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:     rtask.yield %0 : tensor<4xf32>
// CHECK-NEXT:   }, {
// CHECK-NEXT:   ^bb{{[0-9]+}}(%a_1: tensor<4xf32>):
// CHECK-NEXT:     rtask.yield %a_1 : tensor<4xf32>
// CHECK-NEXT:   } -> tensor<4xf32>
// CHECK-NEXT:   %e = rtask.alternatives {
// CHECK-NEXT:     %0 = tensor.empty() : tensor<4xf32>
// CHECK-NEXT:     rtask.yield %0 : tensor<4xf32>
// CHECK-NEXT:   } -> tensor<4xf32>
// CHECK-NEXT:   func.return %r : tensor<4xf32>
// CHECK-NEXT: }
