// RUN: sed /vdevice.device/d %S/../rop/cut_recurrences.mlir | rammer-opt --split-input-file -p 'set-device{device=h100 veus=4},cut-recurrences,schedule-tasks,convert-rtask-to-vdevice,group-scans,pin-weights' | filecheck %s
// RUN: rammer-opt %s -p pin-weights | filecheck %s --check-prefix=LARGE

// The registers hold all of small weights.
// CHECK:     vdevice.launch veus {{.*}} pinned 0
// CHECK-NOT: vdevice.pin

// Of large ones those of the first product are pinned: each vEU keeps those of its units.
// LARGE:      vdevice.launch veus 2 threads 128 service 0 ring 0 x 0 scratch 0 pinned 131072 registers 128 {
// LARGE-NEXT:   vdevice.group [0, 2] {
// LARGE-NEXT:     %[[PIN:.*]] = vdevice.pin %w box <(d0) -> ((d0 * 64), 0) by [64, 512]> : memref<128x512xf32, "weights"> -> memref<64x512xf32, "pinned">
// LARGE-NEXT:     vdevice.for %t in %n {
// LARGE-NEXT:       vdevice.run @step {{.*}} ins(%x, %[[PIN]], %h, %r : memref<3x512xf32>, memref<64x512xf32, "pinned">,
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
