// RUN: sed /vdevice.device/d %S/../rop/cut_recurrences.mlir | rammer-opt --split-input-file -p 'set-device{device=host veus=4},cut-recurrences,schedule-tasks,convert-rtask-to-vdevice,group-scans' | filecheck %s
// RUN: rammer-opt %s -p group-scans --split-input-file | filecheck %s --check-prefix=ORDER

// Two layers side by side, each on two of four vEUs, after what gives its state before the first step.
// CHECK:      vdevice.program @main
// CHECK:        vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
// CHECK-NEXT:     vdevice.group [0, 2] {
// CHECK-NEXT:       vdevice.run @operator0_candidate0 tasks [0, 2] place affine_map<(d0) -> (d0)> ins({{.*}}) outs(%rows0 :
// CHECK-NEXT:       vdevice.for %t in %n {
// CHECK-NEXT:         vdevice.run @operator1_candidate0 tasks [0, 2] place affine_map<(d0) -> (d0)> ins(%x,
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     vdevice.group [2, 4] {
// CHECK-NEXT:       vdevice.run @operator0_candidate0 {{.*}} outs(%rows1 :
// CHECK-NEXT:       vdevice.for
// CHECK-NEXT:         vdevice.run @operator2_candidate0 tasks [0, 2] place affine_map<(d0) -> (d0)> ins(%rows0,
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT: }

// What one recurrence gives is changed before the other reads it: a launch before, one between and one behind. What
// needs neither is in the first.
// ORDER-LABEL: vdevice.program @between
// ORDER:         vdevice.launch veus 4 threads 8
// ORDER-NEXT:      vdevice.run @change {{.*}} ins(%x : {{.*}} outs(%z :
// ORDER-NEXT:    }
// ORDER-NEXT:    vdevice.launch veus 2 threads 1 service 0
// ORDER-NEXT:      vdevice.group [0, 2] {
// ORDER-NEXT:        vdevice.for
// ORDER-NEXT:          vdevice.run @step {{.*}} outs(%a :
// ORDER-NEXT:        }
// ORDER-NEXT:      }
// ORDER-NEXT:    }
// ORDER-NEXT:    vdevice.launch veus 4 threads 8
// ORDER-NEXT:      vdevice.run @change {{.*}} ins(%a : {{.*}} outs(%b :
// ORDER-NEXT:    }
// ORDER-NEXT:    vdevice.launch veus 2 threads 1 service 0
// ORDER-NEXT:      vdevice.group [0, 2] {
// ORDER-NEXT:        vdevice.for
// ORDER-NEXT:          vdevice.run @step {{.*}} outs(%c :
// ORDER-NEXT:        }
// ORDER-NEXT:      }
// ORDER-NEXT:    }
// ORDER-NEXT:    vdevice.launch veus 4 threads 8
// ORDER-NEXT:      vdevice.run @change {{.*}} ins(%c : {{.*}} outs(%y :
// ORDER-NEXT:    }
// ORDER-NEXT:  }
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0
rtask.kernel @step grid [2] loops 1 reads [#rtask.box<(p)[t] -> (t, p * 4) by [1, 4]>]
    writes [#rtask.box<(p)[t] -> (t, p * 4) by [1, 4]>] attributes {tiling = #rop.tiling<recurrence tile [4] threads 1>} {
^bb0(%p: index, %t: index, %x: tensor<3x8xf32>, %y: tensor<3x8xf32>):
  rtask.yield %y : tensor<3x8xf32>
}
rtask.kernel @change grid [2] reads [#rtask.box<(p) -> (0, p * 4) by [3, 4]>] writes [#rtask.box<(p) -> (0, p * 4) by [3, 4]>] {
^bb0(%p: index, %x: tensor<3x8xf32>, %y: tensor<3x8xf32>):
  rtask.yield %y : tensor<3x8xf32>
}
vdevice.program @between on @d inputs 1 names ["x", "y", "z"] {
^bb0(%x: memref<3x8xf32>, %y: memref<3x8xf32>, %z: memref<3x8xf32>):
  %a = vdevice.buffer : memref<3x8xf32, "global">
  %b = vdevice.buffer : memref<3x8xf32, "global">
  %c = vdevice.buffer : memref<3x8xf32, "global">
  %n = arith.constant 3 : index
  vdevice.launch veus 4 threads 8 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.for %t in %n {
      vdevice.run @step tasks [0, 2] place affine_map<(i) -> (i + 1)> ins(%x : memref<3x8xf32>) outs(%a : memref<3x8xf32, "global">) at(%t)
    }
    vdevice.run @change tasks [0, 2] place affine_map<(i) -> (i)> ins(%a : memref<3x8xf32, "global">) outs(%b : memref<3x8xf32, "global">)
    vdevice.run @change tasks [0, 2] place affine_map<(i) -> (i)> ins(%x : memref<3x8xf32>) outs(%z : memref<3x8xf32>)
    vdevice.for %t in %n {
      vdevice.run @step tasks [0, 2] place affine_map<(i) -> (i)> ins(%b : memref<3x8xf32, "global">) outs(%c : memref<3x8xf32, "global">) at(%t)
    }
    vdevice.run @change tasks [0, 2] place affine_map<(i) -> (i)> ins(%c : memref<3x8xf32, "global">) outs(%y : memref<3x8xf32>)
  }
}

// -----

// A program without recurrences stays as it is.
// ORDER-LABEL: vdevice.program @none
// ORDER:         vdevice.launch veus 4 threads 8
// ORDER-NEXT:      vdevice.barrier
// ORDER-NEXT:    }
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0
vdevice.program @none on @d inputs 0 names [] {
  vdevice.launch veus 4 threads 8 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.barrier
  }
}
