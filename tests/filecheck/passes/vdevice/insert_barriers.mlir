// RUN: rammer-opt %s -p insert-barriers --split-input-file | filecheck %s
// RUN: rammer-opt %s -p insert-barriers,plan-memory,verify-program --split-input-file | filecheck %s
// RUN: rammer-opt %s -p plan-memory,verify-program --split-input-file --verify-diagnostics | filecheck %s --check-prefix=WITHOUT

// A run that reads what tasks of other vEUs wrote; then one that reads what its own vEU wrote: it needs no barrier.
// CHECK-LABEL: vdevice.program @main
// CHECK:       vdevice.run @copy
// CHECK-NEXT:  vdevice.run @copy
// CHECK-NEXT:  vdevice.barrier
// CHECK-NEXT:  vdevice.run @blur
// CHECK-NEXT:  }
// WITHOUT:     RAW race
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
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%c : memref<32xf32, "global">)
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%c : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// Each iteration needs what the one before it gave, and so does the run after the loop, which may have run zero times.
// CHECK-LABEL: vdevice.program @recurrence
// CHECK:       vdevice.run @init
// CHECK-NEXT:  vdevice.for
// CHECK-NEXT:  vdevice.barrier
// CHECK-NEXT:  vdevice.run @step
// CHECK-NEXT:  }
// CHECK-NEXT:  vdevice.barrier
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

// Each vEU goes on with what it has: one barrier before the loop is enough.
// CHECK-LABEL: vdevice.program @recurrence
// CHECK:       vdevice.run @init
// CHECK-NEXT:  vdevice.barrier
// CHECK-NEXT:  vdevice.for
// CHECK-NEXT:  vdevice.run @step
// CHECK-NEXT:  }
// CHECK-NEXT:  vdevice.barrier
// CHECK-NEXT:  vdevice.run @last
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @step grid [2] loops 1 reads [#rtask.box<(i)[t] -> (t, i * 8) by [1, 8]>] writes [#rtask.box<(i)[t] -> (t + 1, i * 8) by [1, 8]>] {
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
