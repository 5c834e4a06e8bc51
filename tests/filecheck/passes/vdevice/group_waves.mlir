// RUN: rammer-opt %s -p group-waves --split-input-file --verify-diagnostics | filecheck %s

// Both copies are in the first wave, whatever stands between them; the sum is in the second.
// CHECK-LABEL: vdevice.program @main
// CHECK:       vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
// CHECK-NEXT:  vdevice.run @copy tasks [0, 4] {{.*}} outs(%a :
// CHECK-NEXT:  vdevice.run @copy tasks [0, 4] {{.*}} outs(%b :
// CHECK-NEXT:  }
// CHECK-NEXT:  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
// CHECK-NEXT:  vdevice.run @copy tasks [0, 4] {{.*}} outs(%c :
// CHECK-NEXT:  vdevice.run @add
// CHECK-NEXT:  }
// CHECK-NEXT:  }
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
  %c = vdevice.buffer : memref<32xf32, "global">
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i)> ins(%x : memref<32xf32>) outs(%a : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i)> ins(%a : memref<32xf32, "global">) outs(%c : memref<32xf32, "global">)
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @add tasks [0, 2] place affine_map<(i) -> (i)> ins(%a, %b : memref<32xf32, "global">, memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// A loop is one node of the waves around it and moves around its launches.
// CHECK-LABEL: vdevice.program @recurrence
// CHECK:       vdevice.launch
// CHECK-NEXT:  vdevice.run @init
// CHECK-NEXT:  vdevice.run @copy
// CHECK-NEXT:  }
// CHECK-NEXT:  vdevice.for %t in %n {
// CHECK-NEXT:  vdevice.launch
// CHECK-NEXT:  vdevice.run @step
// CHECK-NEXT:  }
// CHECK-NEXT:  }
// CHECK-NEXT:  }
vdevice.device @d kind "host" veus 4 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @step grid [2] loops 1 reads [#rtask.box<(i)[t] -> (t, 0) by [1, 16]>] writes [#rtask.box<(i)[t] -> (t + 1, i * 8) by [1, 8]>] {
^bb0(%i: index, %t: index, %x: tensor<9x16xf32>, %y: tensor<9x16xf32>):
  rtask.yield %y : tensor<9x16xf32>
}
rtask.kernel @init grid [1] reads [#rtask.box<(i) -> (0) by [32]>] writes [#rtask.box<(i) -> (0, 0) by [1, 16]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<9x16xf32>):
  rtask.yield %y : tensor<9x16xf32>
}
vdevice.program @recurrence on @d inputs 1 names ["x", "y", "h", "n"] {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>, %h: memref<9x16xf32>, %n: index):
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @init tasks [0, 1] place affine_map<(i) -> (0)> ins(%x : memref<32xf32>) outs(%h : memref<9x16xf32>)
    vdevice.for %t in %n {
      vdevice.run @step tasks [0, 2] place affine_map<(i) -> (i)> ins(%h : memref<9x16xf32>) outs(%h : memref<9x16xf32>) at(%t)
      vdevice.barrier
    }
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i)> ins(%x : memref<32xf32>) outs(%y : memref<32xf32>)
  }
}

// -----

// CHECK: pass group-waves: a launch with vdevice.event is no sequence of waves
vdevice.device @d kind "host" veus 4 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    %e = vdevice.event : !vdevice.event<1>
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i)> ins(%x : memref<32xf32>) outs(%y : memref<32xf32>)
  }
}
