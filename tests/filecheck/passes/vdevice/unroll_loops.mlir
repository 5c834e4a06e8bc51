// RUN: rammer-opt %s -p unroll-loops{limit=4} --split-input-file | filecheck %s

// Runs take the iteration as a constant; a buffer that each iteration fills is one for each of them, others are not.
// CHECK-LABEL: vdevice.program @main
// CHECK-DAG:   %[[ZERO:.*]] = arith.constant 0 : index
// CHECK-DAG:   %[[ONE:.*]] = arith.constant 1 : index
// CHECK-DAG:   %own = vdevice.buffer : memref<16xf32, "global">
// CHECK-DAG:   %[[OTHER:own_.*]] = vdevice.buffer : memref<16xf32, "global">
// CHECK-DAG:   %part = vdevice.buffer : memref<16xf32, "global">
// CHECK-NOT:   vdevice.buffer
// CHECK:       vdevice.launch
// CHECK-NEXT:  vdevice.run @row {{.*}} outs(%own : {{.*}}) at(%[[ZERO]])
// CHECK-NEXT:  vdevice.run @next {{.*}} ins(%own, %part : {{.*}} at(%[[ZERO]])
// CHECK-NEXT:  vdevice.barrier
// CHECK-NEXT:  vdevice.run @row {{.*}} outs(%[[OTHER]] : {{.*}}) at(%[[ONE]])
// CHECK-NEXT:  vdevice.run @next {{.*}} ins(%[[OTHER]], %part : {{.*}} at(%[[ONE]])
// CHECK-NEXT:  vdevice.barrier
// CHECK-NEXT:  }
vdevice.device @d kind "host" veus 4 threads 1 shared 65536 registers 0
rtask.kernel @row grid [2] loops 1 reads [#rtask.box<(i)[t] -> (t, i * 8) by [1, 8]>] writes [#rtask.box<(i)[t] -> (i * 8) by [8]>] {
^bb0(%i: index, %t: index, %x: tensor<3x16xf32>, %y: tensor<16xf32>):
  rtask.yield %y : tensor<16xf32>
}
rtask.kernel @next grid [2] loops 1 reads [#rtask.box<(i)[t] -> (i * 8) by [8]>, #rtask.box<(i)[t] -> (i * 4) by [4]>] writes [#rtask.box<(i)[t] -> (i * 4) by [4]>, #rtask.box<(i)[t] -> (t, i * 8) by [1, 8]>] {
^bb0(%i: index, %t: index, %x: tensor<16xf32>, %p: tensor<16xf32>, %q: tensor<16xf32>, %y: tensor<3x16xf32>):
  rtask.yield %q, %y : tensor<16xf32>, tensor<3x16xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] {
^bb0(%x: memref<3x16xf32>, %y: memref<3x16xf32>):
  %n = arith.constant 2 : index
  %own = vdevice.buffer : memref<16xf32, "global">
  %part = vdevice.buffer : memref<16xf32, "global">
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.for %t in %n {
      vdevice.run @row tasks [0, 2] place affine_map<(i) -> (i)> ins(%x : memref<3x16xf32>) outs(%own : memref<16xf32, "global">) at(%t)
      vdevice.run @next tasks [0, 2] place affine_map<(i) -> (i)> ins(%own, %part : memref<16xf32, "global">, memref<16xf32, "global">) outs(%part, %y : memref<16xf32, "global">, memref<3x16xf32>) at(%t)
      vdevice.barrier
    }
  }
}

// -----

// Loops around launches are unrolled too. One of unknown length stays, and one that is too long.
// CHECK-LABEL: vdevice.program @around
// CHECK-COUNT-2: vdevice.run @copy {{.*}} at(%
// CHECK:       vdevice.for %u in %m
// CHECK:       vdevice.for %v in %k
vdevice.device @d kind "host" veus 4 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [2] loops 1 reads [#rtask.box<(i)[t] -> (t, i * 8) by [1, 8]>] writes [#rtask.box<(i)[t] -> (t, i * 8) by [1, 8]>] {
^bb0(%i: index, %t: index, %x: tensor<9x16xf32>, %y: tensor<9x16xf32>):
  rtask.yield %y : tensor<9x16xf32>
}
vdevice.program @around on @d inputs 1 names ["x", "y", "k"] {
^bb0(%x: memref<9x16xf32>, %y: memref<9x16xf32>, %k: index):
  %n = arith.constant 2 : index
  %m = arith.constant 5 : index
  vdevice.for %t in %n {
    vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
      vdevice.run @copy tasks [0, 2] place affine_map<(i) -> (i)> ins(%x : memref<9x16xf32>) outs(%y : memref<9x16xf32>) at(%t)
    }
  }
  vdevice.for %u in %m {
    vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
      vdevice.run @copy tasks [0, 2] place affine_map<(i) -> (i)> ins(%x : memref<9x16xf32>) outs(%y : memref<9x16xf32>) at(%u)
    }
  }
  vdevice.for %v in %k {
    vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
      vdevice.run @copy tasks [0, 2] place affine_map<(i) -> (i)> ins(%x : memref<9x16xf32>) outs(%y : memref<9x16xf32>) at(%v)
    }
  }
}
