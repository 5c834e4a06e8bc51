// RUN: rammer-opt %s -p split-launches --split-input-file --verify-diagnostics | filecheck %s

// CHECK-LABEL: vdevice.program @main
// CHECK:       vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 64 pinned 0 registers 0 {
// CHECK-NEXT:  vdevice.run @copy
// CHECK-NEXT:  }
// CHECK-NEXT:  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 64 pinned 0 registers 0 {
// CHECK-NEXT:  vdevice.run @blur
// CHECK-NEXT:  }
// CHECK-NEXT:  }
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
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 64 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// A loop moves around the launches of its body.
// CHECK-LABEL: vdevice.program @recurrence
// CHECK:       vdevice.launch
// CHECK-NEXT:  vdevice.run @init
// CHECK-NEXT:  }
// CHECK-NEXT:  vdevice.for %t in %n {
// CHECK-NEXT:  vdevice.launch
// CHECK-NEXT:  vdevice.run @step
// CHECK-NEXT:  }
// CHECK-NEXT:  }
// CHECK-NEXT:  vdevice.launch
// CHECK-NEXT:  vdevice.run @last
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @step grid [2] loops 1 reads [#rtask.box<(i)[t] -> (t, 0) by [1, 16]>] writes [#rtask.box<(i)[t] -> (t + 1, i * 8) by [1, 8]>] {
^bb0(%i: index, %t: index, %x: tensor<9x16xf32>, %y: tensor<9x16xf32>):
  rtask.yield %y : tensor<9x16xf32>
}
rtask.kernel @init grid [1] reads [#rtask.box<(i) -> (0) by [16]>] writes [#rtask.box<(i) -> (0, 0) by [1, 16]>] {
^bb0(%i: index, %x: tensor<16xf32>, %y: tensor<9x16xf32>):
  rtask.yield %y : tensor<9x16xf32>
}
rtask.kernel @last grid [1] reads [#rtask.box<(i) -> (8, 0) by [1, 16]>] writes [#rtask.box<(i) -> (0) by [16]>] {
^bb0(%i: index, %x: tensor<9x16xf32>, %y: tensor<16xf32>):
  rtask.yield %y : tensor<16xf32>
}
vdevice.program @recurrence on @d inputs 1 names ["x", "y", "n"] {
^bb0(%x: memref<16xf32>, %y: memref<16xf32>, %n: index):
  %h = vdevice.buffer : memref<9x16xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @init tasks [0, 1] place affine_map<(i) -> (0)> ins(%x : memref<16xf32>) outs(%h : memref<9x16xf32, "global">)
    vdevice.for %t in %n {
      vdevice.run @step tasks [0, 2] place affine_map<(i) -> (i)> ins(%h : memref<9x16xf32, "global">) outs(%h : memref<9x16xf32, "global">) at(%t)
    }
    vdevice.run @last tasks [0, 1] place affine_map<(i) -> (1)> ins(%h : memref<9x16xf32, "global">) outs(%y : memref<16xf32>)
  }
}

// -----

// CHECK: pass split-launches: a launch with vdevice.event cannot be split
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
    %e = vdevice.event : !vdevice.event<1>
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}
