// RUN: rammer-opt %s -p verify-program --split-input-file --verify-diagnostics | filecheck %s

// Two kernels with a barrier between them.
// CHECK: vdevice.program @barrier
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @barrier on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// Two branches that nothing orders, and a launch without a token after both: where it stands, everything is over.
// CHECK-LABEL: vdevice.program @branches
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @branches on @d inputs 1 names ["x", "y", "z", "r"] arena 512 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>, %z: memref<32xf32>, %r: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  %c = vdevice.buffer offset 256 : memref<32xf32, "global">
  %d = vdevice.buffer offset 0 : memref<32xf32, "global">
  %0 = vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
  }
  %1 = vdevice.launch after(%0) veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
  %2 = vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%c : memref<32xf32, "global">)
  }
  %3 = vdevice.launch after(%2) veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%c : memref<32xf32, "global">) outs(%z : memref<32xf32>)
  }
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%d : memref<32xf32, "global">)
  }
  %5 = vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%d : memref<32xf32, "global">) outs(%r : memref<32xf32>)
  }
}
