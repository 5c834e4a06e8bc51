// RUN: sed /vdevice.device/d %S/../passes/rop/cut_recurrences.mlir | rammer-opt --split-input-file -p 'set-device{device=h100 veus=4},cut-recurrences,schedule-tasks,convert-rtask-to-vdevice,group-scans,exchange-words,convert-recurrence-to-block' | filecheck %s
// RUN: rammer-opt %s --split-input-file --verify-diagnostics -p pin-weights,exchange-words,convert-recurrence-to-block | filecheck %s --check-prefix=PINNED

// 16 lanes for each of four units. Weights come once. The input of the first step is multiplied before all steps, that
// of the next one in each step: it comes with the states, which are words. Terms of both products are added up together.
// CHECK-LABEL: block.body @recurrence
// CHECK-SAME:  threads 64
// CHECK:         %[[W:.*]] = memref.alloca() : memref<1x1x4xf32, "thread">
// CHECK:         %[[SUMS:.*]] = memref.alloca() : memref<1x1xf32, "thread">
// CHECK:         %[[STAGED:.*]] = memref.alloca() : memref<128xf32, "shared">
// CHECK:         memref.load %{{.*}} : memref<?xf32, "weights">
// CHECK:         memref.store %{{.*}}, %[[W]][
// CHECK:         %[[X:.*]] = memref.load %{{.*}} : memref<?xf32, "global">
// CHECK:         memref.store %[[X]], %[[STAGED]][
// CHECK:         block.barrier
// CHECK:         math.fma
// CHECK:         block.steps (%[[T:.*]], %[[END:.*]]) {
// CHECK:           %[[NEXT:.*]] = arith.addi %[[T]],
// CHECK:           %[[MORE:.*]] = arith.cmpi slt, %[[NEXT]], %[[END]] : index
// CHECK:           memref.load %{{.*}} : memref<?xf32, "words">
// CHECK:           scf.if %[[MORE]] {
// CHECK:             memref.load %{{.*}} : memref<?xf32, "global">
// CHECK:           }
// CHECK:           block.barrier
// CHECK:           %[[SUM:.*]] = math.fma
// CHECK-NEXT:      memref.store %[[SUM]], %[[SUMS]][
// CHECK:           block.lane_reduce add %{{.*}} over 16 step 1 : f32
// CHECK-NOT:       block.lane_reduce
// CHECK:           %[[H:.*]] = math.tanh
// CHECK:           memref.store %[[H]], %{{.*}} : memref<?xf32, "words">
// CHECK:           scf.if %[[MORE]] {
// CHECK:             math.fma
// CHECK:       rtask.kernel @operator1_candidate0
// CHECK:       } implementation @recurrence

// Two lanes for each of 64 units: pinned weights are read where their box is, the others kept.
// PINNED-LABEL: block.body @recurrence
// PINNED-SAME:  threads 128
// PINNED:         block.copy 4 %{{.*}} : memref<?xf32, "pinned">, memref<1x4xf32, "thread">
// PINNED:         block.steps
// PINNED:           block.lane_reduce add %{{.*}} over 2 step 1 : f32

vdevice.device @d kind "cuda" veus 2 threads 1024 shared 232448 registers 65536
rop.weight @w : tensor<128x512xf32> hash "w"
rop.weight @r : tensor<128x128xf32> hash "r"
rtask.kernel @step grid [2] loops 1
    reads [#rtask.box<(p)[t] -> (t, 0) by [1, 512]>, #rtask.box<(p)[t] -> (p * 64, 0) by [64, 512]>,
           #rtask.box<(p)[t] -> (t, 0) by [1, 128]>, #rtask.box<(p)[t] -> (p * 64, 0) by [64, 128]>]
    writes [#rtask.box<(p)[t] -> (t + 1, p * 64) by [1, 64]>] attributes {tiling = #rop.tiling<recurrence tile [64] threads 128>} {
^bb0(%p: index, %t: index, %x: tensor<3x512xf32>, %w: tensor<128x512xf32>, %h: tensor<4x128xf32>, %r: tensor<128x128xf32>, %h0: tensor<4x128xf32>):
  %px = rop.generic bounds [64, 512] maps [affine_map<(u, k)[p, t] -> (t, k)>, affine_map<(u, k)[p, t] -> (p * 64 + u, k)>, affine_map<(u, k)[p, t] -> (u)>]
      reduce [add] ins(%x, %w : tensor<3x512xf32>, tensor<128x512xf32>) at(%p, %t) {
  ^bb1(%a: f32, %b: f32):
    %m = arith.mulf %a, %b : f32
    rop.yield %m : f32
  } -> tensor<64xf32>
  %ph = rop.generic bounds [64, 128] maps [affine_map<(u, k)[p, t] -> (t, k)>, affine_map<(u, k)[p, t] -> (p * 64 + u, k)>, affine_map<(u, k)[p, t] -> (u)>]
      reduce [add] ins(%h, %r : tensor<4x128xf32>, tensor<128x128xf32>) at(%p, %t) {
  ^bb1(%a: f32, %b: f32):
    %m = arith.mulf %a, %b : f32
    rop.yield %m : f32
  } -> tensor<64xf32>
  %h1 = rop.generic bounds [64] maps [affine_map<(u)[p, t] -> (u)>, affine_map<(u)[p, t] -> (u)>, affine_map<(u)[p, t] -> (t + 1, p * 64 + u)>]
      ins(%px, %ph : tensor<64xf32>, tensor<64xf32>) into(%h0 : tensor<4x128xf32>) at(%p, %t) {
  ^bb1(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    rop.yield %s : f32
  } -> tensor<4x128xf32>
  rtask.yield %h1 : tensor<4x128xf32>
}
vdevice.program @main on @d inputs 1 names ["x"] {
^bb0(%x: memref<3x512xf32>):
  %w = vdevice.weight @w : memref<128x512xf32, "weights">
  %r = vdevice.weight @r : memref<128x128xf32, "weights">
  %h = vdevice.buffer : memref<4x128xf32, "global">
  %n = arith.constant 3 : index
  vdevice.launch veus 2 threads 128 service 0 ring 0 x 0 scratch 0 pinned 0 registers 128 {
    vdevice.group [0, 2] {
      vdevice.for %t in %n {
        vdevice.run @step tasks [0, 2] place affine_map<(i) -> (i)>
            ins(%x, %w, %h, %r : memref<3x512xf32>, memref<128x512xf32, "weights">, memref<4x128xf32, "global">, memref<128x128xf32, "weights">)
            outs(%h : memref<4x128xf32, "global">) at(%t)
      }
    }
  }
}

// -----

// PINNED: kernel @none is no step of a recurrence
rtask.kernel @none grid [1] reads [#rtask.box<(p) -> (0) by [4]>] writes [#rtask.box<(p) -> (0) by [1]>]
    attributes {tiling = #rop.tiling<recurrence tile [1] threads 32>} {
^bb0(%p: index, %x: tensor<4xf32>, %y: tensor<1xf32>):
  %largest = rop.generic bounds [1, 4] maps [affine_map<(i, k)[p] -> (k)>, affine_map<(i, k)[p] -> (i)>]
      reduce [maximum] ins(%x : tensor<4xf32>) into(%y : tensor<1xf32>) at(%p) {
  ^bb1(%a: f32):
    rop.yield %a : f32
  } -> tensor<1xf32>
  rtask.yield %largest : tensor<1xf32>
}
vdevice.device @d kind "cuda" veus 1 threads 1024 shared 65536 registers 65536
vdevice.program @main on @d inputs 1 names ["x", "y"] {
^bb0(%x: memref<4xf32>, %y: memref<1xf32>):
  vdevice.launch veus 1 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 64 {
    vdevice.run @none tasks [0, 1] place affine_map<(i) -> (i)> ins(%x : memref<4xf32>) outs(%y : memref<1xf32>)
  }
}
