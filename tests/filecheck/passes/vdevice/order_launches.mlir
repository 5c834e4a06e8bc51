// RUN: rammer-opt %s -p order-launches --split-input-file | filecheck %s
// RUN: rammer-opt %s -p order-launches,plan-memory,verify-program --split-input-file | filecheck %s --check-prefix PLAN

// Two branches are not ordered, and what joins them names both, but not what they come after. Nothing is over in one
// branch before the other begins, so that no buffers share bytes; in the order of the text three would do.
// CHECK-LABEL: vdevice.program @main
// CHECK:       %0 = vdevice.launch veus 4 {{.*}} -> !vdevice.token {
// CHECK-NEXT:  vdevice.run @copy {{.*}} outs(%a :
// CHECK:       %1 = vdevice.launch after(%0) veus 4
// CHECK-NEXT:  vdevice.run @copy {{.*}} outs(%b :
// CHECK:       %2 = vdevice.launch after(%0) veus 4
// CHECK-NEXT:  vdevice.run @copy {{.*}} outs(%c :
// CHECK:       %3 = vdevice.launch after(%2) veus 4
// CHECK-NEXT:  vdevice.run @copy {{.*}} outs(%d :
// CHECK:       %4 = vdevice.launch after(%1, %3) veus 4
// CHECK-NEXT:  vdevice.run @add
// PLAN-LABEL:  vdevice.program @main on @d inputs 1 names ["x", "y"] arena 1024
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
  %d = vdevice.buffer : memref<32xf32, "global">
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i)> ins(%x : memref<32xf32>) outs(%a : memref<32xf32, "global">)
  }
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i)> ins(%a : memref<32xf32, "global">) outs(%b : memref<32xf32, "global">)
  }
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i)> ins(%a : memref<32xf32, "global">) outs(%c : memref<32xf32, "global">)
  }
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i)> ins(%c : memref<32xf32, "global">) outs(%d : memref<32xf32, "global">)
  }
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @add tasks [0, 2] place affine_map<(i) -> (i)> ins(%b, %d : memref<32xf32, "global">, memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// A loop around launches stays in order with everything; launches in it get no token.
// CHECK-LABEL: vdevice.program @recurrence
// CHECK:       %0 = vdevice.launch veus 4
// CHECK-NEXT:  vdevice.run @copy
// CHECK:       vdevice.for %t in %n {
// CHECK-NEXT:  vdevice.launch veus 4
// CHECK-NEXT:  vdevice.run @step
// CHECK:       %1 = vdevice.launch after(%0) veus 4
// CHECK-NEXT:  vdevice.run @copy
// PLAN-LABEL:  vdevice.program @recurrence
vdevice.device @d kind "host" veus 4 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @step grid [2] loops 1 reads [#rtask.box<(i)[t] -> (i * 16) by [16]>] writes [#rtask.box<(i)[t] -> (t, i * 8) by [1, 8]>] {
^bb0(%i: index, %t: index, %x: tensor<32xf32>, %y: tensor<9x16xf32>):
  rtask.yield %y : tensor<9x16xf32>
}
vdevice.program @recurrence on @d inputs 1 names ["x", "y", "h", "n"] {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>, %h: memref<9x16xf32>, %n: index):
  %a = vdevice.buffer : memref<32xf32, "global">
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i)> ins(%x : memref<32xf32>) outs(%a : memref<32xf32, "global">)
  }
  vdevice.for %t in %n {
    vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
      vdevice.run @step tasks [0, 2] place affine_map<(i) -> (i)> ins(%a : memref<32xf32, "global">) outs(%h : memref<9x16xf32>) at(%t)
    }
  }
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i)> ins(%a : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}
