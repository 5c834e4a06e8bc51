// RUN: rammer-opt %s -p expand-tasks | filecheck %s
// RUN: rammer-opt %s -p expand-tasks,verify-program | filecheck %s

// CHECK:      vdevice.run @copy tasks [0, 1] place affine_map<(d0) -> (0)> ins(%x : memref<32xf32>)
// CHECK-SAME: signals(%e affine_map<(d0) -> (d0)> : !vdevice.event<4>)
// CHECK-NEXT: vdevice.run @copy tasks [1, 2] place affine_map<(d0) -> (1)>
// CHECK-NEXT: vdevice.run @copy tasks [2, 3] place affine_map<(d0) -> (0)>
// CHECK-NEXT: vdevice.run @copy tasks [3, 4] place affine_map<(d0) -> (1)>
// CHECK-NEXT: vdevice.run @blur tasks [0, 1] place affine_map<(d0) -> (1)>
// CHECK-SAME: waits(%e dense<[[0, 1, 1]]> : tensor<1x3xi64> : !vdevice.event<4>)
// CHECK-NEXT: vdevice.run @blur tasks [1, 2] place affine_map<(d0) -> (1)>
// CHECK-SAME: waits(%e dense<[[0, 3, 1]]> : tensor<1x3xi64> : !vdevice.event<4>)
// CHECK-NEXT: vdevice.run @blur tasks [2, 3] place affine_map<(d0) -> (0)>
// CHECK-SAME: waits(%e dense<[[1, 3, 1]]> : tensor<1x3xi64> : !vdevice.event<4>)
// CHECK-NEXT: vdevice.run @blur tasks [3, 4] place affine_map<(d0) -> (0)>
// CHECK-SAME: waits(%e dense<[[3, 1, 1]]> : tensor<1x3xi64> : !vdevice.event<4>)
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    %e = vdevice.event : !vdevice.event<4>
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">) signals(%e affine_map<(i) -> (i)> : !vdevice.event<4>)
    vdevice.run @blur tasks [0, 4] place dense<[1, 1, 0, 0]> : tensor<4xi64> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>) waits(%e dense<[[0, 1, 1], [0, 3, 1], [1, 3, 1], [3, 1, 1]]> : tensor<4x3xi64> : !vdevice.event<4>)
  }
}
