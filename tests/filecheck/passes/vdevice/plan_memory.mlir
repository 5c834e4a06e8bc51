// RUN: rammer-opt %s -p plan-memory --split-input-file | filecheck %s
// RUN: rammer-opt %s -p plan-memory,verify-program --split-input-file | filecheck %s

// A barrier stands between the last use of the first buffer and the first use of the third. What nothing uses goes.
// CHECK-LABEL: vdevice.program @main on @d inputs 1 names ["x", "y"] arena 512
// CHECK:       %b = vdevice.buffer offset 0
// CHECK-NEXT:  %c = vdevice.buffer offset 256
// CHECK-NEXT:  %d = vdevice.buffer offset 0
// CHECK-NOT:   %unused
// CHECK:       vdevice.launch
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer : memref<32xf32, "global">
  %c = vdevice.buffer : memref<32xf32, "global">
  %d = vdevice.buffer : memref<32xf32, "global">
  %unused = vdevice.buffer : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%c : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%c : memref<32xf32, "global">) outs(%d : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%d : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// Without a barrier between them buffers do not share memory; words never do.
// CHECK-LABEL: vdevice.program @main on @d inputs 1 names ["x", "y"] arena 768
// CHECK-NEXT:  ^bb
// CHECK-NEXT:  %b = vdevice.buffer offset 0 :
// CHECK-NEXT:  %c = vdevice.buffer offset 256 :
// CHECK-NEXT:  %w = vdevice.buffer offset 512 : memref<32xf32, "words">
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer : memref<32xf32, "global">
  %c = vdevice.buffer : memref<32xf32, "global">
  %w = vdevice.buffer : memref<32xf32, "words">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%w : memref<32xf32, "words">)
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%w : memref<32xf32, "words">) outs(%b : memref<32xf32, "global">)
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%c : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%c : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}
