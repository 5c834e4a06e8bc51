// RUN: rammer-opt %s -p fit-launches --split-input-file | filecheck %s

// Two tasks take two vEUs; runs side by side are spread, the longer one first; dependent runs stay where they are.
// CHECK-LABEL: vdevice.program @main
// CHECK:       vdevice.launch veus 2 threads 1
// CHECK-NEXT:  vdevice.run @add tasks [0, 2] place affine_map<(d0) -> (d0)>
// CHECK:       vdevice.launch veus 3 threads 1
// CHECK-NEXT:  vdevice.run @copy tasks [2, 4] place affine_map<(d0) -> ((d0 + -1))>
// CHECK-NEXT:  vdevice.run @add tasks [1, 2] place affine_map<(d0) -> ((d0 + -1))>
// CHECK:       vdevice.launch veus 4 threads 1
// CHECK-NEXT:  vdevice.run @copy tasks [0, 4] place affine_map<(d0) -> ((d0 mod 2))>
// CHECK-NEXT:  vdevice.run @add tasks [0, 2] place affine_map<(d0) -> (d0)>
// CHECK:       vdevice.launch veus 4 threads 1
// CHECK-NEXT:  vdevice.run @copy
// CHECK-NEXT:  vdevice.barrier
vdevice.device @d kind "host" veus 4 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @add grid [2] reads [#rtask.box<(i) -> (i * 16) by [16]>, #rtask.box<(i) -> (i * 16) by [16]>] writes [#rtask.box<(i) -> (i * 16) by [16]>] {
^bb0(%i: index, %x: tensor<32xf32>, %z: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %a = vdevice.buffer : memref<32xf32, "global">
  %b = vdevice.buffer : memref<32xf32, "global">
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @add tasks [0, 2] place affine_map<(i) -> (i + 2)> ins(%x, %x : memref<32xf32>, memref<32xf32>) outs(%a : memref<32xf32, "global">)
  }
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [2, 4] place affine_map<(i) -> (i)> ins(%x : memref<32xf32>) outs(%a : memref<32xf32, "global">)
    vdevice.run @add tasks [1, 2] place affine_map<(i) -> (i)> ins(%x, %x : memref<32xf32>, memref<32xf32>) outs(%b : memref<32xf32, "global">) cost #rtask.cost<5.0 us from "guess">
  }
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%a : memref<32xf32, "global">)
    vdevice.run @add tasks [0, 2] place affine_map<(i) -> (i)> ins(%a, %x : memref<32xf32, "global">, memref<32xf32>) outs(%y : memref<32xf32>)
  }
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 1] place affine_map<(i) -> (i)> ins(%x : memref<32xf32>) outs(%a : memref<32xf32, "global">)
    vdevice.barrier
  }
}
