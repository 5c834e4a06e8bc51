// RUN: rammer-opt %s -p 'set-device{device=host veus=2},place-tasks' --verify-diagnostics | filecheck %s

// CHECK: place-tasks takes launches without groups, barriers and events
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 64) by [64]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
vdevice.program @main on @host inputs 1 names ["x", "y"] {
^bb0(%x: memref<256xf32>, %y: memref<256xf32>):
  %b = vdevice.buffer : memref<256xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (0)> ins(%x : memref<256xf32>) outs(%b : memref<256xf32, "global">)
    vdevice.barrier
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (1)> ins(%b : memref<256xf32, "global">) outs(%y : memref<256xf32>)
  }
}
