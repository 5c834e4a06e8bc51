// RUN: rammer-opt %s -p exchange-words --split-input-file | filecheck %s

// Both groups write each row of %a once, and read it after that. %local is written twice, %late is read by another
// launch, %done by a kernel that has a body. The kernel whose first run reads an argument gets another for words.
// CHECK:       rtask.kernel @step grid
// CHECK:       rtask.kernel @step_1 grid
// CHECK-LABEL: vdevice.program @main
// CHECK:         %a = vdevice.buffer : memref<4x8xf32, "words">
// CHECK-NEXT:    %local = vdevice.buffer : memref<4x8xf32, "global">
// CHECK-NEXT:    %late = vdevice.buffer : memref<4x8xf32, "global">
// CHECK-NEXT:    %done = vdevice.buffer : memref<4x8xf32, "global">
// CHECK:           vdevice.run @step {{.*}} ins(%x : {{.*}} outs(%a : memref<4x8xf32, "words">)
// CHECK:           vdevice.run @step_1 {{.*}} ins(%a : memref<4x8xf32, "words">)
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0
rtask.kernel @step grid [2] loops 1 reads [#rtask.box<(p)[t] -> (t, p * 4) by [1, 4]>] writes [#rtask.box<(p)[t] -> (t, p * 4) by [1, 4]>] {
^bb0(%p: index, %t: index, %x: tensor<4x8xf32>, %y: tensor<4x8xf32>):
  rtask.yield %y : tensor<4x8xf32>
}
rtask.kernel @first grid [2] loops 1 reads [#rtask.box<(p)[t] -> (t, p * 4) by [1, 4]>] writes [#rtask.box<(p)[t] -> (0, p * 4) by [1, 4]>] {
^bb0(%p: index, %t: index, %x: tensor<4x8xf32>, %y: tensor<4x8xf32>):
  rtask.yield %y : tensor<4x8xf32>
}
rtask.kernel @ready grid [2] loops 1 reads [#rtask.box<(p)[t] -> (t, p * 4) by [1, 4]>] writes [#rtask.box<(p)[t] -> (t, p * 4) by [1, 4]>] {
^bb0(%p: index, %t: index, %x: tensor<4x8xf32>, %y: tensor<4x8xf32>):
  rtask.yield %y : tensor<4x8xf32>
} implementation @body []
vdevice.program @main on @d inputs 1 names ["x", "y", "z", "w"] {
^bb0(%x: memref<4x8xf32>, %y: memref<4x8xf32>, %z: memref<4x8xf32>, %w: memref<4x8xf32>):
  %a = vdevice.buffer : memref<4x8xf32, "global">
  %local = vdevice.buffer : memref<4x8xf32, "global">
  %late = vdevice.buffer : memref<4x8xf32, "global">
  %done = vdevice.buffer : memref<4x8xf32, "global">
  %n = arith.constant 4 : index
  vdevice.launch veus 4 threads 8 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.group [0, 2] {
      vdevice.for %t in %n {
        vdevice.run @step tasks [0, 2] place affine_map<(i) -> (i)> ins(%x : memref<4x8xf32>) outs(%a : memref<4x8xf32, "global">) at(%t)
        vdevice.run @first tasks [0, 2] place affine_map<(i) -> (i)> ins(%x : memref<4x8xf32>) outs(%local : memref<4x8xf32, "global">) at(%t)
        vdevice.run @ready tasks [0, 2] place affine_map<(i) -> (i)> ins(%x : memref<4x8xf32>) outs(%done : memref<4x8xf32, "global">) at(%t)
        vdevice.run @ready tasks [0, 2] place affine_map<(i) -> (i)> ins(%done : memref<4x8xf32, "global">) outs(%w : memref<4x8xf32>) at(%t)
      }
    }
    vdevice.group [2, 4] {
      vdevice.for %t in %n {
        vdevice.run @step tasks [0, 2] place affine_map<(i) -> (i)> ins(%a : memref<4x8xf32, "global">) outs(%late : memref<4x8xf32, "global">) at(%t)
        vdevice.run @first tasks [0, 2] place affine_map<(i) -> (i)> ins(%a : memref<4x8xf32, "global">) outs(%y : memref<4x8xf32>) at(%t)
      }
    }
  }
  vdevice.launch veus 4 threads 8 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.for %t in %n {
      vdevice.run @first tasks [0, 2] place affine_map<(i) -> (i)> ins(%local : memref<4x8xf32, "global">) outs(%local : memref<4x8xf32, "global">) at(%t)
      vdevice.run @first tasks [0, 2] place affine_map<(i) -> (i)> ins(%late : memref<4x8xf32, "global">) outs(%z : memref<4x8xf32>) at(%t)
    }
  }
}
