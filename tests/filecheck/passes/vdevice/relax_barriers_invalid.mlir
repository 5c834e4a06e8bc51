// RUN: rammer-opt %s -p relax-barriers --split-input-file --verify-diagnostics | filecheck %s

// CHECK: buffers have no offsets: run plan-memory
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 64) by [64]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 64 - 1) by [66]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] {
^bb0(%x: memref<256xf32>, %y: memref<256xf32>):
  %b = vdevice.buffer : memref<256xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<256xf32>) outs(%b : memref<256xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<256xf32, "global">) outs(%y : memref<256xf32>)
  }
}

// -----

// CHECK: relax-barriers takes launches without groups
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 64) by [64]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 64 - 1) by [66]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 1024 {
^bb0(%x: memref<256xf32>, %y: memref<256xf32>):
  %b = vdevice.buffer offset 0 : memref<256xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.group [0, 2] {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<256xf32>) outs(%b : memref<256xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<256xf32, "global">) outs(%y : memref<256xf32>)
    }
  }
}
